"""E-mail addresses in one spelling: code that writes, looks up or counts an address folds it here first."""

from string import ascii_lowercase, ascii_uppercase
from typing import Any, Final

import idna
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db import models

ADDRESS_CHARACTERS_MOST: Final = 254
_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)


def fold_address(address: str) -> str:
    """Returns the address with its domain in ASCII (IDNA 2008, UTS 46) and lower case, as DNS has it.

    Text that is no address stays unchanged. Python's own codec is IDNA 2003, under which `straße.example` becomes
    another owner's domain, `strasse.example`.
    """
    local, at, domain = address.rpartition("@")
    if not at or len(address) > ADDRESS_CHARACTERS_MOST:
        return address
    return f"{local}@{_fold_domain(domain)}"


def address_key(address: str) -> str:
    """Returns the key that all spellings of an address share: `lower(email)` of ASCII letters, as in the database."""
    return fold_address(address).translate(_LOWER)


def check_domain(address: str) -> None:
    """Raises ValidationError where the domain cannot exist."""
    if not address.rpartition("@")[2].isascii():
        raise ValidationError(EmailValidator.message, code=EmailValidator.code)


class AddressField(models.EmailField):  # type: ignore[type-arg]  # generic in the stubs only
    """Stores an e-mail address as `fold_address` spells it, wherever it comes from."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        return fold_address(text) if isinstance(text, str) else text


def _fold_domain(domain: str) -> str:
    lower = domain.lower()
    if lower.isascii() and "xn--" not in lower:
        return lower
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return lower
