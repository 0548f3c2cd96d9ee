"""People, their sessions and their one-use tickets. Bearer tokens are knox's."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AbstractUser
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Lower
from django.utils.module_loading import import_string
from knox.models import AuthToken

from klatsch.accounts.addresses import ADDRESS_CHARACTERS_MOST, AddressField, check_domain
from klatsch.accounts.hashing import verify
from klatsch.accounts.texts import (
    ABOUT_CHARACTERS_MOST,
    DEVICE_CHARACTERS_MOST,
    DISPLAY_NAME_CHARACTERS_MOST,
    USERNAME,
    USERNAME_CHARACTERS_MOST,
)

_DIGEST_CHARACTERS = 64


class User(AbstractUser):
    """A person. Messages carry the username, so it never changes and is never reused; rows are not deleted."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Collation C folds case in ASCII alone, and its index serves prefix searches. An operating system's collation
    # upgrade can never make two usernames equal.
    username = models.CharField(
        max_length=USERNAME_CHARACTERS_MOST, unique=True, validators=[USERNAME], db_collation="C"
    )
    email = AddressField(max_length=ADDRESS_CHARACTERS_MOST, db_collation="C", validators=[check_domain])  # the same
    display_name = models.CharField(max_length=DISPLAY_NAME_CHARACTERS_MOST, blank=True, default="")
    about = models.CharField(max_length=ABOUT_CHARACTERS_MOST, blank=True, default="")
    read_receipts = models.BooleanField(default=True, db_default=True, help_text="Others see what the person has read.")
    # Why a person is not active yet. A deactivated person does not await confirmation, so that no old link reactivates
    # them.
    awaits_email = models.BooleanField(default=False)
    suspended_at = models.DateTimeField(null=True, editable=False)  # set while inactive by a moderator's decision
    first_name = None  # type: ignore[assignment]  # Django's documented way to drop an inherited field
    last_name = None  # type: ignore[assignment]  # dropped like first_name

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

    def check_password(self, raw_password: str | None) -> bool:
        """Returns whether this is the person's password, which is never empty. Replaces an outdated hash.

        The new hash replaces only the hash that was checked. Django's own way could overwrite a password that was set
        meanwhile with the old one.
        """
        right, outdated = verify(raw_password or "", self.password)
        if raw_password is None or not right or not outdated:
            return right
        renewed = make_password(raw_password)
        if User.objects.filter(pk=self.pk, password=self.password).update(password=renewed):
            self.password = renewed
            return True
        self.refresh_from_db(fields=["password"])
        return verify(raw_password, self.password).right


class Session(AbstractBaseSession):
    """Django's session with its person. Only `klatsch.accounts.sessions` writes it.

    `digest` names the session where its key must not appear. `auth_hash` tells whether the password has changed since.
    """

    digest = models.CharField(max_length=_DIGEST_CHARACTERS, unique=True)
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE)
    auth_hash = models.CharField(max_length=128)
    device = models.CharField(max_length=DEVICE_CHARACTERS_MOST)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"session of {self.user_id}"

    @classmethod
    def get_session_store_class(cls) -> type:
        store: type = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
        return store


class TokenUse(models.Model):
    """The device that a bearer token was made on, and the token's last use, within `USED_EVERY`."""

    token = models.OneToOneField(AuthToken, on_delete=models.CASCADE, primary_key=True, related_name="use")
    device = models.CharField(max_length=DEVICE_CHARACTERS_MOST)
    last_used_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"use of {self.token.token_key}"


class Attempts(models.Model):
    """The number of tries in a window that began at `since`. Only `klatsch.accounts.limits` writes it."""

    pk = models.CompositePrimaryKey("what", "who")
    what = models.CharField(max_length=16)
    who = models.CharField(max_length=_DIGEST_CHARACTERS)
    since = models.DateTimeField(db_index=True)
    count = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.count} times {self.what}"


class Ticket(models.Model):
    """A ticket that opens one WebSocket, once, within seconds. Stores digests alone: its own and its credential's."""

    digest = models.CharField(max_length=_DIGEST_CHARACTERS, primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    credential = models.CharField(max_length=_DIGEST_CHARACTERS)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["expires_at"], name="tickets_to_forget"),)

    def __str__(self) -> str:
        return f"ticket of {self.user_id}"


class SignInLink(models.Model):
    """A link that signs its person in, once, within minutes. Stores the digest of its secret alone."""

    digest = models.CharField(max_length=_DIGEST_CHARACTERS, primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"link of {self.user_id}"
