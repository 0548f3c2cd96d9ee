"""People and their one-use tickets. Sessions are Django's, bearer tokens are knox's."""

import uuid
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower

USERNAME = RegexValidator(
    r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z",
    "1 to 64 letters, digits, dots, dashes and underscores; the first is a letter, a digit or an underscore.",
)


class User(AbstractUser):
    """A person. The username never changes and is never used again, as messages carry it; rows are not deleted."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Collation C: letter case is ASCII's everywhere, a prefix search uses the index, and no upgrade of the machine's
    # collations can ever make two of one.
    username = models.CharField(max_length=64, unique=True, validators=[USERNAME], db_collation="C")
    email = models.EmailField(max_length=254)
    first_name = None  # type: ignore[assignment]  # Django's documented way to drop an inherited field
    last_name = None  # type: ignore[assignment]  # the same

    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["email"]

    class Meta:
        constraints = (
            models.UniqueConstraint(
                Lower("username"), name="username_once", violation_error_message="This username is taken."
            ),
            models.UniqueConstraint(
                Lower("email"), name="email_once", violation_error_message="This e-mail address is in use."
            ),
        )

    def __str__(self) -> str:
        return self.username


class Ticket(models.Model):
    """Opens one WebSocket, once, within seconds; only its digest is kept."""

    digest = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"ticket of {self.user_id}"
