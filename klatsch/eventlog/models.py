"""The log's state in PostgreSQL: the topics that have been the log, and the records still to append."""

from django.db import models

from klatsch.core.ids import FRESH_WINDOW_MS


class Epoch(models.Model):
    """A time in which a Kafka topic is or was the log, with its number of used partitions (D2).

    Its positions begin with the epoch's number. A topic that becomes the log again has several epochs.
    """

    epoch = models.SmallIntegerField(primary_key=True)
    topic_id = models.CharField(max_length=64)
    partitions = models.PositiveSmallIntegerField()
    opened_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"epoch {self.epoch}"

    @property
    def fresh_since_ms(self) -> int:
        """The time, in ms since 1970, from which on a UUIDv7 can only have been sent in this epoch.

        A feed does not know what earlier epochs have. An id may be a minute ahead of the clock of who took it. In the
        first epoch it is 0.
        """
        return 0 if self.epoch == 1 else int(self.opened_at.timestamp() * 1_000) + FRESH_WINDOW_MS


class OutboxEntry(models.Model):
    """A record that a transaction queued for the log; relayed at least once, harmless when repeated (D9)."""

    key = models.BinaryField()
    value = models.BinaryField()
    judge = models.BinaryField(default=b"")
    place = models.BinaryField(help_text="The key whose partition this goes to.")
    created_at = models.DateTimeField(auto_now_add=True)
    claimed_until = models.DateTimeField(null=True, help_text="Until then one process alone relays it.")
    relayed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "outbox entries"
        indexes = (models.Index(fields=["place", "id"], condition=models.Q(relayed_at=None), name="outbox_waiting"),)

    def __str__(self) -> str:
        return f"outbox entry {self.pk}"
