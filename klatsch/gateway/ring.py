"""What a gateway remembers of the log's last minutes, so that a copy is known for what it is without asking (D3)."""

from klatsch.messaging.events import judged_digest, judged_id

_PARTS = 4
_DIGEST_BYTES = 8
_DIGEST_BITS = 64
ENTRY_BYTES = 140
"""What an entry takes, measured: the id, one number, and their place in a dictionary."""


class Ring:
    """The first place and the digest of every message id of the last `span_s` seconds, for every conversation.

    Ids are dropped a quarter of the span at a time. It begins with what the last `span_s` seconds brought: that much of
    the log is read again before anybody is served.
    """

    def __init__(self, span_s: float, now_s: float) -> None:
        self._part_s = span_s / _PARTS
        self._turn_at = now_s + self._part_s
        self._parts: list[dict[bytes, int]] = [{} for _ in range(_PARTS + 1)]
        self._newest = self._parts[0]
        self._begun_s = [now_s - span_s] * len(self._parts)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def find(self, judge: bytes) -> int | None:
        """Where the message of that header stands, if it is remembered."""
        known = self._find(judged_id(judge))
        return None if known is None else known >> _DIGEST_BITS

    def remember(self, judge: bytes, offset: int) -> None:
        """That a new message stands there."""
        self._newest[judged_id(judge)] = offset << _DIGEST_BITS | _short(judged_digest(judge))

    def same_body(self, message_id: bytes, digest: bytes) -> bool:
        """Whether the remembered message of that id has that body."""
        known = self._find(message_id)
        return known is not None and known & (2**_DIGEST_BITS - 1) == _short(digest)

    def span_s(self, now_s: float) -> float:
        """How far back every id is remembered."""
        return now_s - self._begun_s[-1]

    def turn(self, now_s: float) -> None:
        """Forgets what is older than the span; to be called now and then."""
        if now_s >= self._turn_at:
            self._turn_at = now_s + self._part_s
            self._parts.pop()
            self._newest = {}
            self._parts.insert(0, self._newest)
            self._begun_s = [now_s, *self._begun_s[:-1]]

    def _find(self, message_id: bytes) -> int | None:
        for part in self._parts:
            known = part.get(message_id)
            if known is not None:
                return known
        return None


def _short(digest: bytes) -> int:
    return int.from_bytes(digest[:_DIGEST_BYTES], "big")
