"""Conversations and their members: ordinary rows, each change with its record in the outbox (D9)."""

import uuid

from django.conf import settings
from django.db import models


class Conversation(models.Model):
    """A conversation: direct, between two people, or a group."""

    class Kind(models.TextChoices):
        DIRECT = "direct"
        GROUP = "group"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=6, choices=Kind)
    title = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True, default="", db_default="")
    created_at = models.DateTimeField(auto_now_add=True)
    # Updated whenever members change, with this row locked: every send asks for the number of recipients.
    member_count = models.PositiveIntegerField(db_default=2)
    # Grows with every change of a group. It orders what records tell of title, description and number of members.
    version = models.PositiveIntegerField(default=1, db_default=1)
    # False for a direct conversation that a block has made, until somebody opens it to write (services.py).
    begun = models.BooleanField(default=True, db_default=True)

    def __str__(self) -> str:
        return self.title or f"{self.kind} {self.pk}"


class Member(models.Model):
    """A person's membership in a conversation, present or past. `version` grows with every change of this row."""

    class Role(models.TextChoices):
        OWNER = "owner"
        ADMIN = "admin"
        MEMBER = "member"

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=6, choices=Role, default=Role.MEMBER)
    active = models.BooleanField(default=True)
    # The database's default is 1, until a restore raises it beyond what the log may hold (restoring.py).
    version = models.PositiveIntegerField(db_default=1)
    joined_at = models.DateTimeField(auto_now_add=True)
    # Set in direct conversations only, where the blocker is the other person: this member cannot write (blocks.py).
    blocked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    blocked_at = models.DateTimeField(null=True)
    muted_until = models.DateTimeField(null=True)  # the person's own choice: neither version nor record know it

    class Meta:
        constraints = (models.UniqueConstraint(fields=["conversation", "user"], name="member_once"),)
        indexes = (
            models.Index(fields=["user", "conversation"], name="conversations_of_user"),
            models.Index(fields=["user", "-joined_at"], condition=models.Q(active=True), name="member_by_joining"),
            models.Index(
                fields=["blocked_by", "user"], condition=models.Q(blocked_by__isnull=False), name="blocks_of_user"
            ),
            # Read by changes and views of a large group: its owners and its first members.
            models.Index(
                fields=["conversation"], condition=models.Q(active=True, role="owner"), name="owners_of_group"
            ),
            models.Index(fields=["conversation", "id"], condition=models.Q(active=True), name="members_in_order"),
        )

    def __str__(self) -> str:
        return f"{self.user_id} in {self.conversation_id}"


class Invitation(models.Model):
    """An invitation of a person to a group, the only one of the two. `version` grows with every change of this row.

    An accepted, declined, withdrawn or expired invitation can be opened again.
    """

    class State(models.TextChoices):
        OPEN = "open"
        ACCEPTED = "accepted"
        DECLINED = "declined"
        WITHDRAWN = "withdrawn"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="invitations", db_index=False
    )  # the constraint's index serves it
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="invitations", db_index=False
    )
    inviter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    state = models.CharField(max_length=9, choices=State, default=State.OPEN)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["conversation", "user"], name="invitation_once"),)
        indexes = (
            models.Index(fields=["user", "-created_at", "-id"], name="invitations_of_user"),
            models.Index(
                fields=["inviter", "user"], condition=models.Q(state="open"), name="open_invitations_by_inviter"
            ),
            models.Index(fields=["state", "changed_at"], name="invitations_to_sweep"),
        )

    def __str__(self) -> str:
        return f"invitation of {self.user_id} to {self.conversation_id}"
