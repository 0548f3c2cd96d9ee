"""Names for messages: UUIDv7 (RFC 9562)."""

import secrets
from collections.abc import Callable
from typing import Final
from uuid import UUID

FRESH_MS: Final = 60_000
"""A server looks a name up in its archive that lies further from its clock."""
_RANDOM_BITS = 74
_TAIL_BITS = 62


class Uuid7s:
    """Makes UUIDs each of which sorts after the one before.

    A last one further ahead than `FRESH_MS` was made by a clock that was wrong: it is forgotten, as all that followed
    it would have to be looked up.
    """

    def __init__(self, random_bits: Callable[[int], int] = secrets.randbits) -> None:
        self._random_bits = random_bits
        self._last_ms = -1
        self._last_random = 0

    def make(self, now_ms: int) -> str:
        """Returns a new one of that time, or just after the last one where the clock stands or goes back a little."""
        if now_ms > self._last_ms or self._last_ms - now_ms > FRESH_MS:
            self._last_ms = now_ms
            self._last_random = self._random_bits(_RANDOM_BITS)
        else:
            self._last_random += 1
            self._last_ms += self._last_random >> _RANDOM_BITS
            self._last_random &= (1 << _RANDOM_BITS) - 1
        head, tail = self._last_random >> _TAIL_BITS, self._last_random & ((1 << _TAIL_BITS) - 1)
        return str(UUID(int=self._last_ms << 80 | 0x7 << 76 | head << 64 | 0b10 << 62 | tail))
