"""The moderators' actions. Each is noted, refuses what makes no sense, and does nothing when repeated.

Who may act is decided by the permission `moderate_report`, which the admin checks.
"""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from klatsch.accounts.suspension import lift_suspension, suspend_person
from klatsch.archive.histories import find_message
from klatsch.core.clock import Clock
from klatsch.core.errors import Conflict, Forbidden, NotFound
from klatsch.messaging.applying import delete_as_moderator
from klatsch.messaging.reports import Route
from klatsch.moderation.models import ModerationAction, Report

_What = ModerationAction.What
_State = Report.State


def dismiss_report(*, moderator_id: UUID, report_id: int) -> bool:
    """Closes a report without any effect; returns False when it is dismissed already. Raises Conflict (resolved)."""
    with transaction.atomic():
        report = _lock_report(report_id, moderator_id)
        if report.state == _State.RESOLVED:
            raise Conflict("This report has been resolved.")
        if report.state == _State.DISMISSED:
            return False
        _note(report, moderator_id, _What.DISMISS)
        _close(report, _State.DISMISSED)
    return True


def suspend_sender(*, moderator_id: UUID, report_id: int) -> bool:
    """Suspends the sender of the reported message, and resolves the report.

    The sender's credentials end and their sockets close. Returns False when all of that is so already. Raises Conflict
    for a dismissed report and for an account that its owner deactivated, and Forbidden for staff.
    """
    with transaction.atomic():
        report = _lock_report(report_id, moderator_id)
        _check_not_dismissed(report)
        suspended = suspend_person(person_id=report.sender_id)
        if not suspended and report.state != _State.OPEN:
            return False
        _note(report, moderator_id, _What.SUSPEND)
        _close(report, _State.RESOLVED)
    return True


def lift_sender_suspension(*, moderator_id: UUID, report_id: int) -> bool:
    """Lifts the suspension of the reported message's sender; returns False when they are not suspended."""
    with transaction.atomic():
        report = _lock_report(report_id, moderator_id)
        if not lift_suspension(person_id=report.sender_id):
            return False
        _note(report, moderator_id, _What.LIFT)
    return True


def delete_reported_message(*, route: Route, clock: Clock, moderator_id: UUID, report_id: int) -> bool:
    """Deletes the reported message for everybody, and resolves every open report of it.

    The deletion goes through the log, like any other. It is noted before: no message is deleted without a note.
    Returns False when all of that is so already. Raises Conflict (dismissed), and what `delete_as_moderator` raises:
    the report stays open then.
    """
    with transaction.atomic():
        report = _lock_report(report_id, moderator_id)
        _check_not_dismissed(report)
        message = find_message(report.message_id.bytes)
        is_deleted = message is None or message.deleted
        if is_deleted and report.state != _State.OPEN:
            return False
        _note(report, moderator_id, _What.DELETE)
    if not is_deleted:
        delete_as_moderator(route=route, message_id=report.message_id.bytes, clock=clock)
    about_it = Report.objects.filter(message_id=report.message_id, state=_State.OPEN)
    about_it.update(state=_State.RESOLVED, closed_at=timezone.now())
    return True


def _lock_report(report_id: int, moderator_id: UUID) -> Report:
    report = Report.objects.select_for_update().filter(pk=report_id).first()
    if report is None:
        raise NotFound("There is no such report.")
    if report.sender_id == moderator_id:
        raise Forbidden("This report is about you. Another moderator must decide.")
    return report


def _check_not_dismissed(report: Report) -> None:
    if report.state == _State.DISMISSED:
        raise Conflict("This report has been dismissed.")


def _note(report: Report, moderator_id: UUID, what: ModerationAction.What) -> None:
    ModerationAction.objects.create(
        moderator_id=moderator_id,
        what=what,
        report=report,
        person_id=report.sender_id,
        message_id=report.message_id,
    )


def _close(report: Report, state: Report.State) -> None:
    if report.state == _State.OPEN:
        report.state, report.closed_at = state, timezone.now()
        report.save(update_fields=["state", "closed_at"])
