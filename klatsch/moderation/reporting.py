"""Reporting a message to the moderators."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from klatsch.accounts.limits import count_report
from klatsch.accounts.person_lock import lock_person
from klatsch.archive.histories import find_message
from klatsch.archive.targets import Wanted
from klatsch.core.errors import BadRequest, Gone, LimitReached
from klatsch.core.metrics import CAPPED
from klatsch.messaging.applying import find_target
from klatsch.messaging.reports import Route
from klatsch.moderation.models import Report

OPEN_MOST: Final = 500
"""The most open reports of one person: moderators cannot read more from one."""


def report_message(*, route: Route, reporter_id: UUID, message_id: UUID, reason: str, detail: str) -> bool:
    """Reports a message that the person can read, and returns whether the report is new.

    A repeated report changes reason and detail while it is open, and nothing later. Raises NotFound, Gone (deleted),
    BadRequest (one's own message), RateLimited, LimitReached, NotArchivedYet, Unavailable.
    """
    facts = find_target(route, Wanted(message_id.bytes, reporter_id.bytes))
    message = find_message(message_id.bytes)
    if facts.deleted or message is None or message.deleted:
        raise Gone("This message was deleted.")
    if facts.sender_id == facts.user_id:
        raise BadRequest("You cannot report your own message.")
    count_report(reporter_id)
    with transaction.atomic():
        lock_person(reporter_id)
        own = Report.objects.filter(reporter_id=reporter_id)
        if own.filter(message_id=message_id).exists():
            own.filter(message_id=message_id, state=Report.State.OPEN).update(reason=reason, detail=detail)
            return False
        if own.filter(state=Report.State.OPEN).count() >= OPEN_MOST:
            CAPPED.labels("reports").inc()
            raise LimitReached(f"You have {OPEN_MOST} open reports, which is the limit. Moderators will read them.")
        Report.objects.create(
            reporter_id=reporter_id,
            sender_id=facts.sender_id,
            message_id=message_id,
            conversation_id=facts.conversation,
            content=message.content,
            sent_at=datetime.fromisoformat(message.sent_at),
            reason=reason,
            detail=detail,
        )
    return True
