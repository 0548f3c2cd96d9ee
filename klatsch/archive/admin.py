"""The archive, read-only for staff: only the log changes it. Dead letters are in `klatsch.persister.admin`."""

from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe

from klatsch.archive.models import Change, Message
from klatsch.conversations.queries import memberships_of
from klatsch.eventlog.places import Position
from klatsch.read_only_admin import ReadOnlyAdmin
from klatsch.records.header import DELETED, EDITED, PINNED, REACTION

CONTENT_SHOWN = 80
"""The characters of a text that the list shows."""
CHANGES_SHOWN = 100
"""The changes that a message's page shows."""
_CHANGES: Final = {EDITED: "edited", DELETED: "deleted", REACTION: "reaction", PINNED: "pin"}


class UncountedPaginator(Paginator):  # type: ignore[type-arg]  # generic in the stubs only
    """Pages a table that is too long to count for each page."""

    COUNTED_MOST = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return len(rows.values_list("pk")[: self.COUNTED_MOST])


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """Finds messages by message id, conversation id or sender: the searches that indexes serve."""

    list_display = (
        "sent_at",
        "sender",
        "receiver",
        "beginning",
        "position",
        "seq",
        "edited_at",
        "pinned_at",
        "deleted",
    )
    list_filter = ("deleted",)
    list_select_related = ("sender", "receiver")
    search_fields = ("id",)
    search_help_text = "Enter a complete message id, conversation id or username."
    ordering = ("-conversation_id", "-epoch", "-offset")
    paginator = UncountedPaginator
    show_full_result_count = False
    readonly_fields = ("changes",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Message], search_term: str
    ) -> tuple[QuerySet[Message], bool]:
        """Replaces Django's search, which compares ids as text, row by row."""
        if not search_term:
            return queryset, False
        try:
            wanted = UUID(search_term)
        except ValueError:
            theirs = memberships_of(search_term)
            of_sender = Q(sender__in=theirs.values("user_id")[:1], conversation__in=theirs.values("conversation_id"))
            return queryset.filter(of_sender), False
        return queryset.filter(Q(pk=wanted) | Q(conversation=wanted)), False

    @admin.display(description="content")
    def beginning(self, message: Message) -> str:
        return message.content[:CONTENT_SHOWN]

    @admin.display(description="changes")
    def changes(self, message: Message) -> str:
        """Returns the message's newest changes, one on a line."""
        newest = Change.objects.filter(message_id=message.pk).order_by("-epoch", "-offset")[:CHANGES_SHOWN]
        people = dict(
            get_user_model().objects.filter(pk__in={one.actor_id for one in newest}).values_list("pk", "username")
        )
        lines = [
            (
                str(Position(one.epoch, one.partition, one.offset)),
                _CHANGES.get(one.kind, str(one.kind)),
                people.get(one.actor_id, one.actor_id),
                "" if one.effective else "(no effect)",
            )
            for one in newest
        ]
        return format_html_join(mark_safe("<br>"), "{} {} by {} {}", lines) or "none"

    @admin.display(description="position")
    def position(self, message: Message) -> str:
        return str(Position(message.epoch, message.partition, message.offset))
