"""Passwords are hashed in few places at once: a burst of sign-ins must not take the cores from everybody else.

The bound is in the hashers, which all ways lead through: REST, the admin's login, commands.
"""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.contrib.auth import hashers

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


class BCryptSHA256PasswordHasher(hashers.BCryptSHA256PasswordHasher):
    """Django's, in a slot. Its `verify` and `harden_runtime` hash by `encode`, so this one bounds them all."""

    def encode(self, password: str, salt: str | bytes) -> str:
        with hashing_slots().take():
            return super().encode(password, salt)  # type: ignore[arg-type]  # bytes in truth: the stubs say str


class Argon2PasswordHasher(hashers.Argon2PasswordHasher):
    """Django's, in a slot; for hashes brought from elsewhere, made anew with bcrypt at the next sign-in."""

    def encode(self, password: str, salt: str) -> str:
        with hashing_slots().take():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with hashing_slots().take():
            return super().verify(password, encoded)
