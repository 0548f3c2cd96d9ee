"""Measures for how long the feed has lacked records that the log holds: a gateway that is behind refuses sends (D4)."""

from collections.abc import Callable, Mapping

from klatsch.gateway.feed.feed import Feed


class Lag:
    """Call `look` twice a second. `ends` are the log's, as a client other than the feed's learned them; it does no I/O.

    The log has no transactions, whose control records would stand at an end that no reader reaches.
    """

    def __init__(self, feed: Feed, ends: Callable[[], Mapping[int, int]]) -> None:
        self._feed = feed
        self._ends = ends
        self._wanted: Mapping[int, int] = {}
        self._noted_s = 0.0
        self.seconds = 0.0
        """The age of the log's ends that the feed had not reached at the last look; 0 when it had."""

    def look(self, now_s: float) -> None:
        """Updates `seconds`, which each send reads: the costly part is done here, twice a second."""
        if self._feed.has_reached(self._wanted):
            self._wanted, self._noted_s = dict(self._ends()), now_s
        self.seconds = 0.0 if self._feed.has_reached(self._wanted) else now_s - self._noted_s
