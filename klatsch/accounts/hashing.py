"""Bounds how many passwords are hashed at once, so that a burst of sign-ins takes neither all cores nor all threads.

A request that hashes takes its slot first, as soon as its path is known (`hashes_password`). While it waits it holds
no PostgreSQL connection, and a refusal cannot tell which accounts exist. The hashers themselves take a slot for other
callers, such as commands.
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
"""The longest wait for a slot. A hash takes a quarter of a second; after a longer wait the client should retry."""
RETRY_S: Final = 1.0
WAITING_SHARE: Final = 4
"""One thread in four may wait for a slot; the others serve requests that hash nothing."""

_HASHING_PATHS: Final = re.compile(
    r"/api/v1/(auth/(register|login|tokens|password|password/reset/confirm)|me/deactivate)"
    r"|/admin/(login|password_change|accounts/user/(add|[^/]+/password))/"
)


class HashingSlots:
    """Lets at most `most` callers hold a slot and at most `waiting_most` wait for one, each up to `wait_s`.

    Further callers are refused at once with Unavailable. A network address may take at most half of the waiting room.
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
        """Holds a slot while the block runs. `place` is the request's network address. Nested calls reuse the slot."""
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
    """Returns this process's slots. Django creates hashers without arguments, so hashers fetch their slots here."""
    most = min(settings.ENV["KLATSCH_HASHERS"], len(os.sched_getaffinity(0)))
    return HashingSlots(most, max(1, settings.ENV["KLATSCH_API_THREADS"] // WAITING_SHARE), WAIT_S)


def hashes_password(method: str, path: str) -> bool:
    """Returns whether a request makes or checks a password hash."""
    return method == "POST" and _HASHING_PATHS.fullmatch(path) is not None


def _too_many() -> Unavailable:
    CAPPED.labels("hashing").inc()
    return Unavailable("Too many sign-ins at once. Try again in a moment.", retry_after=RETRY_S)


class BCryptAsTyped(hashers.BCryptSHA256PasswordHasher):
    """Django's hasher, in a slot: `verify` and `harden_runtime` hash by `encode`, so its bound holds for all three."""

    def encode(self, password: str, salt: str | bytes) -> str:
        with hashing_slots().take():
            return super().encode(password, salt)  # type: ignore[arg-type]  # bytes in truth: the stubs say str


class BCryptSHA256PasswordHasher(BCryptAsTyped):
    """Hashes the normalized form of a password."""

    def encode(self, password: str, salt: str | bytes) -> str:
        return super().encode(one_form(password), salt)


class Argon2AsTyped(hashers.Argon2PasswordHasher):
    """Django's hasher, in a slot. It checks imported hashes; the next sign-in replaces them with bcrypt."""

    def encode(self, password: str, salt: str) -> str:
        with hashing_slots().take():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with hashing_slots().take():
            return super().verify(password, encoded)


class Argon2PasswordHasher(Argon2AsTyped):
    """Hashes the normalized form of a password."""

    def encode(self, password: str, salt: str) -> str:
        return super().encode(one_form(password), salt)

    def verify(self, password: str, encoded: str) -> bool:
        return super().verify(one_form(password), encoded)


class Verdict(NamedTuple):
    """The result of a check: `right` when the password matches the hash, `outdated` when the hash needs replacing."""

    right: bool
    outdated: bool


def verify(password: str, encoded: str) -> Verdict:
    """Checks a password in its normalized form and, for hashes from before normalization, as it was typed.

    Where the two forms differ, both are hashed, even when the first matches or the account does not exist. The time
    taken then tells how the password was typed, but not whether the account exists. An empty password never matches.
    """
    right, outdated = hashers.verify_password(password, encoded)
    if one_form(password) != password and _verify_as_typed(password, encoded):
        right = outdated = True
    return Verdict(right and password != "", outdated)


def _verify_as_typed(password: str, encoded: str) -> bool:
    algorithm = encoded.partition("$")[0]
    hasher = next((one for one in (BCryptAsTyped(), Argon2AsTyped()) if one.algorithm == algorithm), None)
    if hasher is None:  # No account or no password: spend an equal amount of work.
        hashers.make_password(password)
        return False
    right = hasher.verify(password, encoded)
    if not right and hasher.must_update(encoded):  # Django hardens in the same way on the first form.
        hasher.harden_runtime(password, encoded)
    return right
