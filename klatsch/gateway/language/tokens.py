"""Resume tokens: a client's progress, by what the gateway's feed has read (D7). No I/O."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol

from klatsch.eventlog.places import USER_HASH_DIGITS, ResumeToken, offsets_text


class Reading(Protocol):
    """A feed's progress: the next offset of each partition of its epoch."""

    @property
    def epoch(self) -> int: ...

    @property
    def offsets(self) -> Sequence[int]: ...


class Tokens:
    """Creates and reads the tokens of one feed; `secret` ties each to its person."""

    def __init__(self, reading: Reading, secret: str) -> None:
        self._reading = reading
        self._secret = secret

    def now(self, user_id: str) -> str:
        """Returns the token of a person who has everything that the feed has read."""
        return self.of(user_id, self._reading.offsets)

    def of(self, user_id: str, offsets: Sequence[int]) -> str:
        """Returns the token of a person who has everything before these offsets."""
        return self.text(user_id, offsets_text(offsets))

    def tail(self) -> str:
        """Returns the part that all tokens of this moment share."""
        return offsets_text(self._reading.offsets)

    def text(self, user_id: str, tail: str) -> str:
        """Returns the token of a person with a known tail: the marks of all connections share one tail."""
        return f"{self._reading.epoch}.{user_hash(user_id, self._secret)}.{tail}"

    def read(self, text: str, user_id: str) -> ResumeToken | None:
        """Returns the token if it is this person's, of this epoch and of this number of partitions."""
        token = self._parse(text)
        if token is None or len(token.offsets) != len(self._reading.offsets):
            return None
        return token if token.user_hash == user_hash(user_id, self._secret) else None

    def why_useless(self, text: str) -> str:
        """Returns the reason of the reset for a token that cannot be used."""
        return "unknown_epoch" if self._parse(text) is None else "too_far_behind"

    def _parse(self, text: str) -> ResumeToken | None:
        """Returns the token if it is of this epoch."""
        try:
            token = ResumeToken.parse(text)
        except ValueError:
            return None
        return token if token.epoch == self._reading.epoch else None


def user_hash(user_id: str, secret: str) -> str:
    """Returns 16 hexadecimal digits that tie a token to a person. They prove nothing: a foreign token is useless."""
    return blake2b(user_id.encode(), key=secret.encode()[:64], digest_size=USER_HASH_DIGITS // 2).hexdigest()
