"""Passwords are hashed in few places at once: a burst of sign-ins must not take the cores from everybody else.

The bound is in the hashers, which all ways lead through: REST, the admin's login, commands.
"""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth import hashers

from klatsch.accounts.password_form import one_form
from klatsch.core.errors import Unavailable

WAIT_S = 5.0
"""A hash takes a quarter of a second; who waits longer than this is better told to come again."""


class HashingSlots:
    """At most `most` hold a slot at once; who gets none within `wait_s` is refused with Unavailable."""

    def __init__(self, most: int, wait_s: float) -> None:
        self._free = threading.BoundedSemaphore(most)
        self._wait_s = wait_s

    @contextmanager
    def take(self) -> Iterator[None]:
        if not self._free.acquire(timeout=self._wait_s):
            raise Unavailable("Too many sign-ins at once. Try again.", retry_after=self._wait_s)
        try:
            yield
        finally:
            self._free.release()


@functools.cache
def hashing_slots() -> HashingSlots:
    """The slots of this process: Django makes hashers without arguments, so they find their slots here."""
    return HashingSlots(settings.ENV["KLATSCH_HASHERS"], WAIT_S)


class BCryptAsTyped(hashers.BCryptSHA256PasswordHasher):
    """Django's, in a slot. Its `verify` and `harden_runtime` hash by `encode`, so this one bounds them all."""

    def encode(self, password: str, salt: str | bytes) -> str:
        with hashing_slots().take():
            return super().encode(password, salt)  # type: ignore[arg-type]  # bytes in truth: the stubs say str


class BCryptSHA256PasswordHasher(BCryptAsTyped):
    """Hashes the one form of a password."""

    def encode(self, password: str, salt: str | bytes) -> str:
        return super().encode(one_form(password), salt)


class Argon2AsTyped(hashers.Argon2PasswordHasher):
    """Django's, in a slot; for hashes brought from elsewhere, made anew with bcrypt at the next sign-in."""

    def encode(self, password: str, salt: str) -> str:
        with hashing_slots().take():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with hashing_slots().take():
            return super().verify(password, encoded)


class Argon2PasswordHasher(Argon2AsTyped):
    """Hashes the one form of a password."""

    def encode(self, password: str, salt: str) -> str:
        return super().encode(one_form(password), salt)

    def verify(self, password: str, encoded: str) -> bool:
        return super().verify(one_form(password), encoded)


class Verdict(NamedTuple):
    """Whether a password is that of a hash, and whether the hash should be made anew."""

    right: bool
    outdated: bool


def verify(password: str, encoded: str) -> Verdict:
    """Checks a password in its one form and, for hashes from before there was one, as it was typed.

    Where both differ, both are hashed, whichever is right and also for a hash that is nobody's: the time that it takes
    tells how the password was typed, and not whether there is such a person. An empty password is never right.
    """
    right, outdated = hashers.verify_password(password, encoded)
    if one_form(password) != password and _verify_as_typed(password, encoded):
        right = outdated = True
    return Verdict(right and password != "", outdated)


def _verify_as_typed(password: str, encoded: str) -> bool:
    algorithm = encoded.partition("$")[0]
    hasher = next((one for one in (BCryptAsTyped(), Argon2AsTyped()) if one.algorithm == algorithm), None)
    if hasher is None:  # nobody's, or without a password: the same work
        hashers.make_password(password)
        return False
    right = hasher.verify(password, encoded)
    if not right and hasher.must_update(encoded):  # as Django does for the first one
        hasher.harden_runtime(password, encoded)
    return right
