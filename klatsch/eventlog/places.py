"""Places in the log as text: a position, and a resume token, which holds one place of every partition."""

import re
from collections.abc import Iterable
from typing import Annotated, Final, NamedTuple

from msgspec import Meta

POSITION_PATTERN: Final = r"^\d{1,5}:\d{1,5}:\d{1,19}$"
TOKEN_PATTERN: Final = r"^\d{1,5}\.[0-9a-f]{16}(\.\d{1,5}:\d{1,19})+$"  # noqa: S105 - a pattern
USER_HASH_DIGITS: Final = 16

PositionText = Annotated[
    str, Meta(pattern=POSITION_PATTERN, description="A place in the log: `epoch:partition:offset`.")
]
ResumeTokenText = Annotated[
    str,
    Meta(
        pattern=TOKEN_PATTERN,
        description="`<epoch>.<user hash>.<partition>:<offset>.…`, each offset is the next to read.",
    ),
]

EPOCH_MOST: Final = 2**15 - 1
PARTITION_MOST: Final = 2**15 - 1
OFFSET_MOST: Final = 2**63 - 1
"""The bounds of the database columns that hold them."""

_POSITION: Final = re.compile(POSITION_PATTERN, re.ASCII)
_TOKEN: Final = re.compile(TOKEN_PATTERN, re.ASCII)


class Position(NamedTuple):
    """A place in the log, ordered within a partition by epoch, then offset; `epoch:partition:offset` as text."""

    epoch: int
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.partition}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Raises ValueError unless the text is three plain numbers in their ranges."""
        if _POSITION.fullmatch(text) is not None:
            position = cls(*map(int, text.split(":")))
            if position.epoch <= EPOCH_MOST and position.partition <= PARTITION_MOST and position.offset <= OFFSET_MOST:
                return position
        raise ValueError("a position is epoch:partition:offset")


class ResumeToken(NamedTuple):
    """A client's progress: the next offset of each partition of an epoch, from partition 0 on.

    `user_hash` ties the token to a person. As text: `<epoch>.<user hash>.<partition>:<offset>.…`
    """

    epoch: int
    user_hash: str
    offsets: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.epoch}.{self.user_hash}.{offsets_text(self.offsets)}"

    @classmethod
    def parse(cls, text: str) -> "ResumeToken":
        """Raises ValueError for any other text, and for partitions that are missing or out of order."""
        if _TOKEN.fullmatch(text) is not None:
            epoch, user_hash, *pairs = text.split(".")
            offsets = tuple(int(pair.partition(":")[2]) for pair in pairs)
            token = cls(int(epoch), user_hash, offsets)
            if int(epoch) <= EPOCH_MOST and max(offsets) <= OFFSET_MOST and _are_in_order(pairs):
                return token
        raise ValueError("a resume token is <epoch>.<user hash>.<partition>:<offset>.…")


def offsets_text(offsets: Iterable[int]) -> str:
    """Returns the part of a resume token that is equal for all people."""
    return ".".join(f"{partition}:{offset}" for partition, offset in enumerate(offsets))


def _are_in_order(pairs: list[str]) -> bool:
    return all(pair.partition(":")[0] == str(place) for place, pair in enumerate(pairs))
