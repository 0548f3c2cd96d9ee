"""Passwords are hashed in few places at once: a burst of sign-ins must take neither the cores nor the threads.

A request that hashes takes its slot before anything else, as soon as it is known by its path (`hashes_password`): while
it waits it has no connection of PostgreSQL, and a refusal cannot tell who exists. The hashers take one themselves for
what comes another way, such as a command.
"""

import functools
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from django.conf import settings
from django.contrib.auth import hashers

from klatsch.accounts.password_form import one_form
from klatsch.core.errors import Unavailable
from klatsch.core.metrics import CAPPED

WAIT_S: Final = 2.0
"""A hash takes a quarter of a second; a request that waits longer than this is better told to come again."""
RETRY_S: Final = 1.0
WAITING_SHARE: Final = 4
"""One thread in four may wait for a slot; the others go on with what hashes nothing."""

_HASHING_PATHS: Final = re.compile(
    r"/api/v1/(auth/(register|login|tokens|password|password/reset/confirm)|me/deactivate)"
    r"|/admin/(login|password_change|accounts/user/(add|[^/]+/password))/"
)


class HashingSlots:
    """At most `most` hold a slot at once, and at most `waiting_most` wait for one, each up to `wait_s`.

    Any other is refused at once with Unavailable. One place leaves half of the waiting room to the others.
    """

    def __init__(self, most: int, waiting_most: int, wait_s: float) -> None:
        self.room = most + waiting_most
        self.of_one_place = most + waiting_most // 2
        self._wait_s = wait_s
        self._free = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._inside: Counter[str] = Counter()
        self._mine = threading.local()

    @contextmanager
    def take(self, place: str = "") -> Iterator[None]:
        """A slot for as long as the block runs; `place` is where the request comes from. A second one is the first."""
        if getattr(self._mine, "held", False):
            yield
            return
        with self._waiting(place):
            if not self._free.acquire(timeout=self._wait_s):
                raise _too_many()
            self._mine.held = True
            try:
                yield
            finally:
                self._mine.held = False
                self._free.release()

    @contextmanager
    def _waiting(self, place: str) -> Iterator[None]:
        with self._lock:
            if self._inside.total() >= self.room or (place and self._inside[place] >= self.of_one_place):
                raise _too_many()
            self._inside[place] += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside[place] -= 1
                if not self._inside[place]:
                    del self._inside[place]


@functools.cache
def hashing_slots() -> HashingSlots:
    """The slots of this process: Django makes hashers without arguments, so they find their slots here."""
    most = min(settings.ENV["KLATSCH_HASHERS"], len(os.sched_getaffinity(0)))
    return HashingSlots(most, max(1, settings.ENV["KLATSCH_API_THREADS"] // WAITING_SHARE), WAIT_S)


def hashes_password(method: str, path: str) -> bool:
    """Returns whether such a request makes or checks a hash."""
    return method == "POST" and _HASHING_PATHS.fullmatch(path) is not None


def _too_many() -> Unavailable:
    CAPPED.labels("hashing").inc()
    return Unavailable("Too many sign-ins at once. Try again.", retry_after=RETRY_S)


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
