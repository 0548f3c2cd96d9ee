"""Opening: whether a gateway accepts connections, from when its feed has caught up until it drains or fails."""

import time
from collections.abc import Callable

from klatsch.core.errors import Unavailable
from klatsch.core.readiness import Why


class Opening:
    """Shut until the feed has caught up with the log. `is_behind` says whether the feed has fallen back."""

    def __init__(self, is_behind: Callable[[float], bool]) -> None:
        self.is_open = False
        self._is_behind = is_behind

    def open(self) -> None:
        """Accepts connections from now on."""
        self.is_open = True

    def shut(self) -> None:
        """Refuses new connections from now on."""
        self.is_open = False

    def check(self) -> None:
        """Raises Unavailable unless connections are accepted."""
        if not self.is_open:
            raise Unavailable("This gateway is not ready. Reconnect.", retry_after=1)

    def not_ready(self) -> dict[str, str]:
        """Returns why a load balancer should send no connections here, by part; empty when the gateway is ready."""
        if not self.is_open:
            return {"feed": Why.NOT_READ}
        return {"feed": Why.BEHIND} if self._is_behind(time.monotonic()) else {}
