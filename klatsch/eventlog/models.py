"""The log's state in PostgreSQL: the topics that have been the log, and the records still to append."""

from django.db import models


class Epoch(models.Model):
    """A Kafka topic that is or was the log, with its number of used partitions (D2).

    Its positions begin with the epoch's number.
    """

    epoch = models.SmallIntegerField(primary_key=True)
    topic_id = models.CharField(max_length=64)
    partitions = models.PositiveSmallIntegerField()
    opened_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["topic_id", "partitions"], name="topic_once"),)

    def __str__(self) -> str:
        return f"epoch {self.epoch}"


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
