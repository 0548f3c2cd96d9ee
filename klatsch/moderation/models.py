"""Reports of messages, and the moderators' actions on them."""

from typing import ClassVar, Final

from django.conf import settings
from django.db import models
from django.db.models import F

DETAIL_CHARACTERS_MOST: Final = 1_000


class Report(models.Model):
    """A person's report of a message, with the message's text at that time: a later deletion destroys no evidence.

    `message_id` and `conversation_id` are the archive's, without constraints. A report is open until `closed_at`.
    """

    class Reason(models.TextChoices):
        SPAM = "spam"
        HARASSMENT = "harassment"
        VIOLENCE = "violence"
        OTHER = "other"

    class State(models.TextChoices):
        OPEN = "open"
        RESOLVED = "resolved"
        DISMISSED = "dismissed"

    reporter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    sender = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    message_id = models.UUIDField()
    conversation_id = models.UUIDField()
    content = models.TextField(help_text="The message's text when it was reported.")
    sent_at = models.DateTimeField()
    reason = models.CharField(max_length=10, choices=Reason)
    detail = models.CharField(max_length=DETAIL_CHARACTERS_MOST, blank=True, default="")
    state = models.CharField(max_length=9, choices=State, default=State.OPEN)
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions: ClassVar = ("view",)
        permissions = (("moderate_report", "Can moderate reports"),)
        constraints = (models.UniqueConstraint(fields=["reporter", "message_id"], name="report_once"),)
        indexes = (
            models.Index(F("closed_at").desc(nulls_first=True), F("created_at").desc(), name="report_queue"),
            models.Index(fields=["message_id"], name="report_of_message"),
        )

    def __str__(self) -> str:
        return f"report {self.pk}"


class ModerationAction(models.Model):
    """A moderator's action: when, by whom, what, and on which person and message. A trigger lets no row change.

    An action is noted before or together with its effect, never after. It outlives the report, so that texts may be
    erased.
    """

    class What(models.TextChoices):
        DELETE = "delete", "delete the message"
        SUSPEND = "suspend", "suspend the sender"
        LIFT = "lift", "lift the sender's suspension"
        DISMISS = "dismiss", "dismiss the report"

    at = models.DateTimeField(auto_now_add=True)
    moderator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    what = models.CharField(max_length=7, choices=What)
    report = models.ForeignKey(Report, on_delete=models.DO_NOTHING, db_constraint=False, related_name="actions")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    message_id = models.UUIDField()

    class Meta:
        default_permissions: ClassVar = ("view",)

    def __str__(self) -> str:
        return f"{self.what} by {self.moderator_id}"
