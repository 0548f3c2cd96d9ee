"""The listening socket of a gateway: what its connections inherit."""

import contextlib
import socket

from klatsch.gateway.serving import listen


def test_the_kernel_takes_little_ahead_for_a_peer_that_reads_nothing() -> None:
    """Pings wait behind all that it takes. Unbounded, it takes 3.9 MB of these 4."""
    taken = 0
    with listen("127.0.0.1", 0) as listening, socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        peer.connect(listening.getsockname())
        connection, _ = listening.accept()
        with connection, contextlib.suppress(BlockingIOError):
            connection.setblocking(False)
            while taken < 4_000_000:
                taken += connection.send(bytes(65_536))

    assert taken < 500_000
