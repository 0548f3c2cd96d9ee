"""The archive, which the persister writes from the log. Other writers are named in the docstrings (D6)."""

import uuid

from django.conf import settings
from django.db import models


class Message(models.Model):
    """A message. (`epoch`, `partition`, `offset`) is the position of its record and orders the history.

    Foreign keys have no database constraint: a check for each row would cost more than the row. The persister checks
    once for each conversation and person instead.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client_id = models.CharField(max_length=64)
    conversation = models.ForeignKey(
        "conversations.Conversation", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, related_name="sent", db_constraint=False, db_index=False
    )
    receiver = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        related_name="received",
        null=True,
        db_constraint=False,
        db_index=False,
    )
    content = models.TextField()
    sent_at = models.DateTimeField()
    reply_to = models.UUIDField(null=True)
    epoch = models.SmallIntegerField()
    partition = models.SmallIntegerField()
    offset = models.BigIntegerField()
    changed_epoch = models.SmallIntegerField()
    changed_offset = models.BigIntegerField()
    seq = models.BigIntegerField()
    digest = models.BinaryField(max_length=16, help_text="Of the body as sent: tells a copy from a conflict.")
    edited_at = models.DateTimeField(null=True)
    deleted = models.BooleanField(default=False, db_default=False)
    reactions = models.JSONField(default=dict, db_default={})

    class Meta:
        constraints = (models.UniqueConstraint(fields=["conversation", "epoch", "offset"], name="message_position"),)
        indexes = (
            models.Index(fields=["conversation", "-sent_at", "-id"], name="message_by_time"),
            # Messages that were ever changed, for replays (changes.py): new messages cost this index nothing.
            models.Index(
                fields=["conversation", "changed_epoch", "changed_offset"],
                condition=~models.Q(changed_offset=models.F("offset")) | ~models.Q(changed_epoch=models.F("epoch")),
                name="message_by_change",
            ),
        )

    def __str__(self) -> str:
        return f"message {self.pk}"


class ConversationState(models.Model):
    """A conversation's progress in the archive: `last_seq` messages, the last of them at that position."""

    conversation = models.OneToOneField(
        "conversations.Conversation",
        on_delete=models.DO_NOTHING,
        primary_key=True,
        db_constraint=False,
        related_name="state",
    )
    last_seq = models.BigIntegerField()
    last_message = models.UUIDField()
    last_sent_at = models.DateTimeField()
    epoch = models.SmallIntegerField()
    partition = models.SmallIntegerField()
    last_offset = models.BigIntegerField()

    def __str__(self) -> str:
        return f"state of {self.conversation_id}"


class MembershipInterval(models.Model):
    """A person's membership or absence in a conversation, from a position to the next version's (D5).

    Written from the records, so that every judge of the log agrees. `Member` is the current state.
    """

    conversation_id = models.UUIDField()
    user_id = models.UUIDField()
    version = models.PositiveIntegerField()
    active = models.BooleanField()
    role = models.CharField(max_length=6, null=True)  # noqa: DJ001 - unknown in rows of older versions
    blocked = models.BooleanField(default=False, db_default=False)
    epoch = models.SmallIntegerField()
    partition = models.SmallIntegerField()
    offset = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["conversation_id", "user_id", "version"], name="interval_once"),)
        indexes = (
            # Memberships that ever changed: everything that judging needs (removals).
            models.Index(fields=["epoch", "partition"], condition=models.Q(version__gt=1), name="interval_of_removed"),
        )

    def __str__(self) -> str:
        return f"{self.user_id} in {self.conversation_id}, version {self.version}"


class LogOffset(models.Model):
    """The next offset that is not stored yet, moved by compare-and-set together with the rows (D5)."""

    epoch = models.SmallIntegerField()
    partition = models.SmallIntegerField()
    next_offset = models.BigIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["epoch", "partition"], name="offset_once"),)

    def __str__(self) -> str:
        return f"{self.epoch}:{self.partition}:{self.next_offset}"


class DeadLetter(models.Model):
    """A record that cannot be stored, with the reason. `retried_at` is set when a retry stored it."""

    epoch = models.SmallIntegerField()
    partition = models.SmallIntegerField()
    offset = models.BigIntegerField()
    key = models.BinaryField()
    value = models.BinaryField()
    judge = models.BinaryField()
    reason = models.CharField(max_length=40)
    detail = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    retried_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["epoch", "partition", "offset"], name="dead_letter_once"),)

    def __str__(self) -> str:
        return f"dead letter at {self.epoch}:{self.partition}:{self.offset}"
