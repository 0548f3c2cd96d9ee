"""The queue of reports, with the moderators' actions, and the notes of all actions, in the admin."""

import time
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import F, QuerySet
from django.http import HttpRequest

from klatsch.api.ports import ports_of
from klatsch.api.routes import route_of
from klatsch.core.errors import KlatschError
from klatsch.moderation import acting
from klatsch.moderation.models import ModerationAction, Report
from klatsch.read_only_admin import ReadOnlyAdmin

CONTENT_SHOWN: Final = 80
"""The characters of a text that the list shows."""
ACTED_ON_MOST: Final = 100
"""The most reports that one action handles: each takes a transaction, and a deletion a round trip to the log."""
_DEADLINE_S: Final = 20.0
"""The time after which an action leaves the other reports for a second try: proxies give up after 60 s."""


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    """Needs the right to view or to moderate reports; the actions need the right to moderate them."""

    list_display = ("created_at", "state", "reason", "sender", "beginning", "detail_beginning", "reporter")
    list_filter = ("state", "reason", "created_at")
    list_select_related = ("sender", "reporter")
    search_fields = ("=message_id", "=sender__username", "=reporter__username")
    ordering = (F("closed_at").desc(nulls_first=True), "-created_at")
    list_per_page = ACTED_ON_MOST
    fields = (
        *("created_at", "state", "closed_at", "reason", "detail", "reporter"),
        *("sender", "sender_state", "content", "sent_at", "message_id", "conversation_id", "history"),
    )
    readonly_fields = fields
    actions = ("delete_messages", "suspend_senders", "lift_suspensions", "dismiss")

    @admin.display(description="content")
    def beginning(self, report: Report) -> str:
        return report.content[:CONTENT_SHOWN]

    @admin.display(description="detail")
    def detail_beginning(self, report: Report) -> str:
        return report.detail[:CONTENT_SHOWN]

    @admin.display(description="sender's account")
    def sender_state(self, report: Report) -> str:
        if report.sender.suspended_at is not None:
            return f"suspended since {report.sender.suspended_at:%Y-%m-%d %H:%M} UTC"
        return "active" if report.sender.is_active else "deactivated"

    @admin.display(description="actions")
    def history(self, report: Report) -> str:
        done = ModerationAction.objects.filter(report=report).select_related("moderator").order_by("at")
        return "\n".join(f"{one.at:%Y-%m-%d %H:%M} {one.moderator}: {one.get_what_display()}" for one in done) or "-"

    @admin.action(description="Delete the reported messages, for everybody", permissions=["moderate"])
    def delete_messages(self, request: HttpRequest, reports: QuerySet[Report]) -> None:
        route, clock = route_of(request), ports_of(request).clock

        def act(moderator_id: UUID, report_id: int) -> bool:
            return acting.delete_reported_message(
                route=route, clock=clock, moderator_id=moderator_id, report_id=report_id
            )

        self._act(request, reports, "Deleted the message.", act)

    @admin.action(description="Suspend the senders", permissions=["moderate"])
    def suspend_senders(self, request: HttpRequest, reports: QuerySet[Report]) -> None:
        self._act(
            request,
            reports,
            "Suspended the sender.",
            lambda moderator_id, report_id: acting.suspend_sender(moderator_id=moderator_id, report_id=report_id),
        )

    @admin.action(description="Lift the senders' suspensions", permissions=["moderate"])
    def lift_suspensions(self, request: HttpRequest, reports: QuerySet[Report]) -> None:
        self._act(
            request,
            reports,
            "Lifted the sender's suspension.",
            lambda moderator_id, report_id: acting.lift_sender_suspension(
                moderator_id=moderator_id, report_id=report_id
            ),
        )

    @admin.action(description="Dismiss the reports", permissions=["moderate"])
    def dismiss(self, request: HttpRequest, reports: QuerySet[Report]) -> None:
        self._act(
            request,
            reports,
            "Dismissed the report.",
            lambda moderator_id, report_id: acting.dismiss_report(moderator_id=moderator_id, report_id=report_id),
        )

    def _act(
        self, request: HttpRequest, reports: QuerySet[Report], done: str, act: Callable[[UUID, int], bool]
    ) -> None:
        """Acts on each report, and tells of each what came of it. Begins nothing after the deadline."""
        deadline_s = time.monotonic() + _DEADLINE_S
        moderator_id: Any = request.user.pk
        chosen = list(reports.order_by("created_at")[: ACTED_ON_MOST + 1])
        for report in chosen[:ACTED_ON_MOST]:
            if time.monotonic() > deadline_s:
                self.message_user(request, "This took too long. Try again with the other reports.", messages.ERROR)
                return
            try:
                changed = act(moderator_id, report.pk)
            except KlatschError as error:
                self.message_user(request, f"{report}: {error.detail}", messages.ERROR)
                continue
            if changed:
                self.log_change(request, report, done)
            self.message_user(request, f"{report}: {done if changed else 'There was nothing to do.'}")
        if len(chosen) > ACTED_ON_MOST:
            left = f"At most {ACTED_ON_MOST} reports at once. Select the others and try again."
            self.message_user(request, left, messages.ERROR)

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("moderation.moderate_report")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_moderate_permission(request)


@admin.register(ModerationAction)
class ModerationActionAdmin(ReadOnlyAdmin):
    list_display = ("at", "moderator", "what", "person", "message_id", "report_id")
    list_filter = ("what", "at")
    list_select_related = ("moderator", "person")
    search_fields = ("=message_id", "=moderator__username", "=person__username")
    ordering = ("-at",)
    fields = readonly_fields = list_display

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        can_moderate = request.user.has_perm("moderation.moderate_report")
        return super().has_view_permission(request, obj) or can_moderate
