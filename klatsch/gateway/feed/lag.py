"""For how long the feed has lacked what the log is known to hold: a gateway that is behind answers for nobody (D4)."""

from collections.abc import Callable, Mapping

from klatsch.gateway.feed.feed import Feed


class Lag:
    """`look` twice a second. `ends` are the log's as another client than the feed's was told them, and ask nobody.

    The log has no transactions, whose markers stand at an end and are read by nobody.
    """

    def __init__(self, feed: Feed, ends: Callable[[], Mapping[int, int]]) -> None:
        self._feed = feed
        self._ends = ends
        self._wanted: Mapping[int, int] = {}
        self._noted_s = 0.0
        self.seconds = 0.0
        """How long ago the log held what the feed still lacked at the last look; 0 when it lacked nothing."""

    def look(self, now_s: float) -> None:
        """Each send asks for `seconds`: so what costs something is done here, now and then."""
        if self._feed.has_reached(self._wanted):
            self._wanted, self._noted_s = dict(self._ends()), now_s
        self.seconds = 0.0 if self._feed.has_reached(self._wanted) else now_s - self._noted_s
