"""What PostgreSQL knows of the log, for staff to look at: its epochs, and what still waits to be relayed."""

from django.contrib import admin
from django.http import HttpRequest

from klatsch.eventlog.models import Epoch, OutboxEntry


class _ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Epoch)
class EpochAdmin(_ReadOnly):
    list_display = ("epoch", "topic_id", "partitions", "opened_at")
    ordering = ("-epoch",)


@admin.register(OutboxEntry)
class OutboxEntryAdmin(_ReadOnly):
    """What waits for more than a second means that no persister runs, or that the log cannot be reached."""

    list_display = ("id", "key_text", "created_at", "relayed_at")
    list_filter = (("relayed_at", admin.EmptyFieldListFilter),)
    ordering = ("-id",)
    show_full_result_count = False
    fields = ("id", "key_text", "value_text", "created_at", "relayed_at")
    readonly_fields = fields

    @admin.display(description="key")
    def key_text(self, entry: OutboxEntry) -> str:
        return bytes(entry.key).decode(errors="backslashreplace")

    @admin.display(description="value")
    def value_text(self, entry: OutboxEntry) -> str:
        return bytes(entry.value).decode(errors="backslashreplace")
