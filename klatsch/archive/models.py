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
    # Derived from Reaction and Mention in the transaction that changes these: usernames never change.
    reactions = models.JSONField(default=dict, db_default={}, help_text="The first usernames by emoji.")
    reaction_counts = models.JSONField(default=dict, db_default={}, help_text="The number of people by emoji.")
    mentions = models.JSONField(default=list, db_default=[], help_text="The mentioned usernames.")
    pinned_at = models.DateTimeField(null=True)
    pinned_by = models.UUIDField(null=True)

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
            models.Index(
                fields=["conversation", "-pinned_at"],
                condition=models.Q(pinned_at__isnull=False),
                name="message_by_pin",
            ),
        )

    def __str__(self) -> str:
        return f"message {self.pk}"


class Change(models.Model):
    """A change in force: an edit, a deletion, a reaction or a pin, by the own id of its record (D18).

    `kind` is the first byte of the record's header. A change that is not `effective` found the message as it wanted it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    message_id = models.UUIDField()
    kind = models.SmallIntegerField()
    actor_id = models.UUIDField()
    epoch = models.SmallIntegerField()
    partition = models.SmallIntegerField()
    offset = models.BigIntegerField()
    digest = models.BinaryField(max_length=16)
    effective = models.BooleanField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["epoch", "partition", "offset"], name="change_position"),)
        indexes = (models.Index(fields=["message_id"], name="change_of_message"),)

    def __str__(self) -> str:
        return f"change {self.pk} of message {self.message_id}"


class MessageVersion(models.Model):
    """A text of a message that was edited, with the position of its record. A deletion removes all of them."""

    message_id = models.UUIDField()
    epoch = models.SmallIntegerField()
    offset = models.BigIntegerField()
    content = models.TextField()
    written_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["message_id", "epoch", "offset"], name="version_position"),)

    def __str__(self) -> str:
        return f"version of message {self.message_id}"


class Reaction(models.Model):
    """A person's reaction to a message, since that position."""

    message_id = models.UUIDField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    emoji = models.CharField(max_length=32, db_collation="C")
    epoch = models.SmallIntegerField()
    offset = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["message_id", "user", "emoji"], name="reaction_once"),)

    def __str__(self) -> str:
        return f"{self.emoji} of {self.user_id} on {self.message_id}"


class Mention(models.Model):
    """A mention of a person in a message, with the message's place in its conversation and in time."""

    message_id = models.UUIDField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    conversation_id = models.UUIDField()
    seq = models.BigIntegerField()
    sent_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["message_id", "user"], name="mention_once"),)
        indexes = (
            models.Index(fields=["user", "conversation_id", "seq"], name="mention_by_seq"),
            models.Index(fields=["user", "-sent_at", "-message_id"], name="mention_by_time"),
        )

    def __str__(self) -> str:
        return f"{self.user_id} in message {self.message_id}"


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
            # Memberships that ever changed: everything that judging needs, of the part that the log holds (removals).
            models.Index(
                fields=["epoch", "partition", "offset"], condition=models.Q(version__gt=1), name="interval_by_place"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user_id} in {self.conversation_id}, version {self.version}"


class LogOffset(models.Model):
    """The next offset that is not stored yet, moved by compare-and-set together with the rows (D5)."""

    epoch = models.SmallIntegerField()
    partition = models.SmallIntegerField()
    next_offset = models.BigIntegerField(default=0)
    first_offset = models.BigIntegerField(default=0, db_default=0, help_text="Records before it are not of this epoch.")

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


class Marker(models.Model):
    """A person's place in one conversation: how far they have received and read it, and when it was last active (D19).

    `begin` is the position of the record that added the person. `read_seq` is lower than the number of every message
    after `read` and `begin`: the number of the last message up to there that was not stored late. `unread_seq` is so
    too for the person's own flag "unread from here", plus 1; it is null unless the flag is set. `changed` is the
    position of the last record that moved the marker. An offset of -1 means that nothing was received or read yet.

    `active_at` is never earlier than the conversation's last message, so that an index finds a person's latest
    conversations. It is a bound, written once a minute at most: a row for each member and message would cost too much.
    """

    pk = models.CompositePrimaryKey("conversation_id", "user_id")
    conversation_id = models.UUIDField()
    user_id = models.UUIDField()
    active = models.BooleanField(default=True, db_default=True)
    active_at = models.DateTimeField()
    delivered_epoch = models.SmallIntegerField(default=0, db_default=0)
    delivered_partition = models.SmallIntegerField(default=0, db_default=0)
    delivered_offset = models.BigIntegerField(default=-1, db_default=-1)
    read_epoch = models.SmallIntegerField(default=0, db_default=0)
    read_partition = models.SmallIntegerField(default=0, db_default=0)
    read_offset = models.BigIntegerField(default=-1, db_default=-1)
    read_seq = models.BigIntegerField(default=0, db_default=0)
    begin_epoch = models.SmallIntegerField(default=0, db_default=0)
    begin_offset = models.BigIntegerField(default=-1, db_default=-1)
    unread_epoch = models.SmallIntegerField(null=True)
    unread_partition = models.SmallIntegerField(null=True)
    unread_offset = models.BigIntegerField(null=True)
    unread_seq = models.BigIntegerField(null=True)
    changed_epoch = models.SmallIntegerField(default=0, db_default=0)
    changed_offset = models.BigIntegerField(default=-1, db_default=-1)

    class Meta:
        indexes = (
            models.Index(fields=["user_id", "-active_at"], condition=models.Q(active=True), name="marker_by_activity"),
        )

    def __str__(self) -> str:
        return f"marker of {self.user_id} in {self.conversation_id}"
