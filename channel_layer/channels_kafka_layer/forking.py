"""Keeps forks apart from lookups of names: a child inherits the resolver's locks as they are, and nobody to open them.

The driver's threads look up names while a client connects, mostly in its first moments. A child that is forked then can
never look up a name again, nor end: a fork does not renew a lock of glibc's `getaddrinfo`. This was seen in 1 of 150
forks right after the first use (glibc 2.36). So a fork waits until the last client has connected, and a child that was
unlucky all the same says so.
"""

import os
import socket
import threading
import time

from channels_kafka_layer.errors import KafkaUnavailable

_CONNECTED_S = 1.0
"""A client has looked up its names by then: measured, all of a process were done 40 ms after the first began."""
_ANSWER_S = 5.0
"""Far more than a lookup of a number takes: it asks no server."""
_NEVER_S = float("-inf")
_began_s = _NEVER_S
_is_child = False
_lookup: threading.Thread | None = None
"""A forked child's first try."""


def client_begins() -> None:
    """Notes that a client of the driver is being made, whose threads will look up names."""
    global _began_s  # noqa: PLW0603 - a process has one resolver
    _began_s = time.monotonic()


def check_lookups() -> None:
    """Raises KafkaUnavailable in a forked child that can look up no name; its clients would wait for ever."""
    global _lookup  # noqa: PLW0603 - as above
    if not _is_child:
        return
    lookup = _lookup
    if lookup is None:
        lookup = threading.Thread(target=_look_up, name="channels-kafka-lookup", daemon=True)
        lookup.start()
        lookup.join(_ANSWER_S)
        _lookup = lookup
    if lookup.is_alive():
        raise KafkaUnavailable(
            "This process was forked while a thread of its parent looked up a name, and can look up none. "
            "Fork again, or use the layer only after forking."
        )


def _look_up() -> None:
    # The driver's flag: it is what takes the lock.
    socket.getaddrinfo("127.0.0.1", 0, flags=socket.AI_ADDRCONFIG)


def _before_fork() -> None:
    while (left_s := _began_s + _CONNECTED_S - time.monotonic()) > 0:
        time.sleep(left_s)  # others may begin meanwhile


def _after_fork() -> None:
    global _began_s, _is_child, _lookup
    _began_s, _is_child, _lookup = _NEVER_S, True, None


os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
