"""Dead letters in the admin, to read and to retry."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from klatsch.archive.models import DeadLetter
from klatsch.core.errors import KlatschError
from klatsch.eventlog.places import Position
from klatsch.persister.dead_letters import retry_dead_letter
from klatsch.read_only_admin import ReadOnlyAdmin


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """Needs the right to view dead letters, and for a retry, which stores the message, to change them."""

    list_display = ("position", "reason", "detail", "created_at", "retried_at")
    list_filter = ("reason", ("retried_at", admin.EmptyFieldListFilter), "partition")
    search_fields = ("reason", "detail")
    ordering = ("-created_at",)
    fields = ("position", "reason", "detail", "key_text", "value_text", "created_at", "retried_at")
    readonly_fields = fields
    actions = ("retry",)

    @admin.display(description="position")
    def position(self, letter: DeadLetter) -> str:
        return str(Position(letter.epoch, letter.partition, letter.offset))

    @admin.display(description="key")
    def key_text(self, letter: DeadLetter) -> str:
        return bytes(letter.key).decode(errors="backslashreplace")

    @admin.display(description="value")
    def value_text(self, letter: DeadLetter) -> str:
        return bytes(letter.value).decode(errors="backslashreplace")

    @admin.action(description="Try again to store the selected dead letters", permissions=["retry"])
    def retry(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> None:
        for letter in letters.order_by("epoch", "partition", "offset"):
            try:
                retry_dead_letter(letter.pk)
            except KlatschError as error:
                self.message_user(request, f"{self.position(letter)}: {error.detail}", messages.ERROR)
            else:
                self.message_user(request, f"{self.position(letter)} is stored.", messages.SUCCESS)

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadLetter]:
        # A page of the list is a hundred records of up to a megabyte, so values are read only where they are shown.
        return super().get_queryset(request).defer("key", "value", "judge")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("messaging.change_deadletter")
