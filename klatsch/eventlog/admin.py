"""Shows staff what PostgreSQL stores of the log: its epochs, and the records that wait to be relayed."""

from django.contrib import admin

from klatsch.eventlog.models import Epoch, OutboxEntry
from klatsch.read_only_admin import ReadOnlyAdmin


@admin.register(Epoch)
class EpochAdmin(ReadOnlyAdmin):
    list_display = ("epoch", "topic_id", "partitions", "opened_at")
    ordering = ("-epoch",)


@admin.register(OutboxEntry)
class OutboxEntryAdmin(ReadOnlyAdmin):
    """An entry that waits for more than a second means that no persister runs, or that the log cannot be reached."""

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
