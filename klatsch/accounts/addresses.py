"""E-mail addresses in one spelling: whoever writes, looks up or counts one takes it from here."""

from string import ascii_lowercase, ascii_uppercase
from typing import Any, Final

import idna
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db import models

ADDRESS_CHARACTERS_MOST: Final = 254
_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)


def fold_address(address: str) -> str:
    """The address with its domain as DNS has it: in ASCII (IDNA 2008, UTS 46), in lower case. Others stay as they are.

    Not by Python's own codec: that is IDNA 2003, for which `straße.example` is another's domain, `strasse.example`.
    """
    local, at, domain = address.rpartition("@")
    if not at or len(address) > ADDRESS_CHARACTERS_MOST:
        return address
    return f"{local}@{_fold_domain(domain)}"


def address_key(address: str) -> str:
    """What all spellings of an address have in common: `lower(email)`, as the database compares it, in ASCII's case."""
    return fold_address(address).translate(_LOWER)


def check_domain(address: str) -> None:
    """Raises ValidationError where nobody can have the domain."""
    if not address.rpartition("@")[2].isascii():
        raise ValidationError(EmailValidator.message, code=EmailValidator.code)


class AddressField(models.EmailField):  # type: ignore[type-arg]  # generic in the stubs only
    """An e-mail address, written and looked up as `fold_address` has it, by whatever door it comes."""

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
