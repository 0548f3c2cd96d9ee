"""The server's time, as `hello` told it and the monotonic clock carries it on. No I/O."""

from collections.abc import Callable


class ServerClock:
    """Gives the server's time once it is known; before that, all there is is this machine's wall clock.

    A wall clock that is wrong, or that jumps later, changes nothing once `correct` was called.
    """

    def __init__(self, *, wall_ms: Callable[[], int], monotonic_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._monotonic_ms = monotonic_ms
        self._ahead_ms: int | None = None

    def correct(self, server_ms: int) -> None:
        """Takes the server's time as of now."""
        self._ahead_ms = server_ms - self._monotonic_ms()

    def now_ms(self) -> int:
        """Milliseconds since 1970, by the server's clock as far as it is known."""
        return self._wall_ms() if self._ahead_ms is None else self._monotonic_ms() + self._ahead_ms
