"""The one form of a password: however a keyboard or a system composes a letter, it is the same password (RFC 8265)."""

import unicodedata
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser
from django.utils.module_loading import import_string

NORMALIZED_CHARACTERS_MOST: Final = 1_024
"""As many as an endpoint takes. Normalizing takes quadratic time: 7 ms for so many accents, 17 s for 64 Ki of them."""


def one_form(password: str) -> str:
    """The password as it is hashed: every space as U+0020, then NFC, as the OpaqueString profile says.

    Nothing is refused here: the validators judge new passwords. A text longer than an endpoint takes stays as it is.
    """
    if password.isascii() or len(password) > NORMALIZED_CHARACTERS_MOST:
        return password
    spaced = "".join(" " if unicodedata.category(one) == "Zs" else one for one in password)
    return unicodedata.normalize("NFC", spaced)


class InOneForm:
    """One of Django's validators, asked about the one form of a password: so eight characters are eight letters."""

    def __init__(self, validator: str) -> None:
        self._validator = import_string(validator)()

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Raises ValidationError, as the validator does."""
        self._validator.validate(one_form(password), user)

    def get_help_text(self) -> Any:
        return self._validator.get_help_text()
