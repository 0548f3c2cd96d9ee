"""Places in the server's log, and tokens: sets of them, one for each partition."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the log. Those of one conversation compare by epoch, then offset."""

    epoch: int
    offset: int
    partition: int

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Reads `epoch:partition:offset`; raises ValueError."""
        epoch, partition, offset = map(int, text.split(":"))
        return cls(epoch, offset, partition)

    def __str__(self) -> str:
        return f"{self.epoch}:{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Token:
    """A resume token, read: of each partition, the next offset. What lies before is covered."""

    epoch: int
    user: str
    offsets: dict[int, int]

    @classmethod
    def parse(cls, text: str) -> "Token":
        """Reads `<epoch>.<user hash>.<partition>:<offset>.…`; raises ValueError."""
        epoch, user, *pairs = text.split(".")
        split = [pair.split(":") for pair in pairs]
        return cls(int(epoch), user, {int(partition): int(offset) for partition, offset in split})

    def __str__(self) -> str:
        pairs = (f"{partition}:{offset}" for partition, offset in sorted(self.offsets.items()))
        return ".".join([str(self.epoch), self.user, *pairs])

    def covers(self, position: Position) -> bool:
        """Returns True when the position lies before this token."""
        if position.epoch != self.epoch:
            return position.epoch < self.epoch
        return position.offset < self.offsets.get(position.partition, 0)

    def joined(self, other: "Token") -> "Token":
        """Returns the token that covers everything either of two tokens of one epoch covers."""
        partitions = self.offsets.keys() | other.offsets.keys()
        both = {p: max(self.offsets.get(p, 0), other.offsets.get(p, 0)) for p in partitions}
        return Token(self.epoch, other.user, both)
