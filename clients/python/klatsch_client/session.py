"""One connection's stream of pushes, from `hello` on. No I/O."""

from typing import Final

from klatsch_client.frames import Push, ResumeMark, Welcome

_SILENCE_MARKS = 2
_GRACE_S = 10.0
HELLO_S: Final = 15.0
"""A connection whose `hello` has no answer for so long is dead, whatever else comes."""


class Session:
    """Says which pushes came behind a resume mark. Those before it are replayed or reset, and in no order."""

    def __init__(self) -> None:
        self.welcome: Welcome | None = None
        self.is_whole = False

    @property
    def silence_most_s(self) -> float:
        """Returns the longest silence of a live connection: a resume mark is due at every heartbeat."""
        return HELLO_S if self.welcome is None else _SILENCE_MARKS * self.welcome.heartbeat_s + _GRACE_S

    def take(self, push: Push) -> bool:
        """Returns whether a push is in the log's order behind a mark; the first mark itself is not."""
        in_order = self.is_whole
        self.is_whole = in_order or isinstance(push.what, ResumeMark)
        return in_order
