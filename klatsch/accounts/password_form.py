"""Normalizes passwords: a letter gives one password however a keyboard or system composes it (RFC 8265)."""

import unicodedata
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser
from django.utils.module_loading import import_string

NORMALIZED_CHARACTERS_MOST: Final = 1_024
"""The endpoints' limit. Normalizing takes quadratic time: 7 ms for 1,024 accents, 17 s for 64 Ki."""


def one_form(password: str) -> str:
    """Returns the password in the form that is hashed: spaces as U+0020, then NFC, as the OpaqueString profile says.

    Nothing is refused here: the validators check new passwords. A text longer than an endpoint accepts stays as it is.
    """
    if password.isascii() or len(password) > NORMALIZED_CHARACTERS_MOST:
        return password
    spaced = "".join(" " if unicodedata.category(one) == "Zs" else one for one in password)
    return unicodedata.normalize("NFC", spaced)


class InOneForm:
    """Runs one of Django's validators on the normalized password: eight characters are then eight letters."""

    def __init__(self, validator: str) -> None:
        self._validator = import_string(validator)()

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Raises ValidationError where the wrapped validator does."""
        self._validator.validate(one_form(password), user)

    def get_help_text(self) -> Any:
        return self._validator.get_help_text()
