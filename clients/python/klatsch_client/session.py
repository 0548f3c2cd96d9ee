"""One connection's stream of pushes, from `hello` on. No I/O."""

from typing import Final

from klatsch_client.frames import Mark, Push, Welcome

_SILENCE_MARKS = 2
_GRACE_S = 10.0
HELLO_S: Final = 15.0
"""A connection whose `hello` has no answer for so long is dead, whatever else comes."""


class Session:
    """Puts pushes into the order in which they are to be told, and says which came behind a mark.

    A gateway joins a connection to its audiences before it answers `hello`, so that nothing falls between. What comes
    so early stands behind what is replayed or reset, and is held back until the mark that ends that.
    """

    def __init__(self) -> None:
        self.welcome: Welcome | None = None
        self.is_whole = False
        self._early: list[Push] = []

    @property
    def silence_most_s(self) -> float:
        """A connection on which nothing comes for so long is dead: a mark is due at every heartbeat."""
        return HELLO_S if self.welcome is None else _SILENCE_MARKS * self.welcome.heartbeat_s + _GRACE_S

    def take(self, push: Push) -> list[tuple[Push, bool]]:
        """What is to be told now, each with whether it is in the log's order behind a mark."""
        if self.welcome is None:
            self._early.append(push)
            return []
        if self.is_whole or not isinstance(push.what, Mark):
            return [(push, self.is_whole)]
        self.is_whole = True
        held, self._early = self._early, []
        return [(early, False) for early in held] + [(push, False)]
