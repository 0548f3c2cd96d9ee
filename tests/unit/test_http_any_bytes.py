"""BoundedHttp and ChatSocket: whatever a peer sends, nothing fails, and its connection has an end (D12)."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.http_peer import Peer

KEY = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
METHODS = [b"GET", b"POST", b"HEAD", b"CONNECT", b"NONE"]
TARGETS = [b"/hello", b"/ws", b"http://k/hello", b"k:80", b"*", b"/\xc3\xa9"]
VERSIONS = [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0"]
LINES = [
    b"Host: k\r\n",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    b"Connection: close\r\n",
    KEY,
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"X_Y: \xff\r\n",
    b"X-Long: " + b"a" * 9_000 + b"\r\n",
    b" folded\r\n",
    b"none\r\n",
]
BEHIND = [b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"\x81\x80\0\0\0\0"]


def _request(method: bytes, target: bytes, version: bytes, lines: list[bytes], behind: bytes) -> bytes:
    return b"%b %b %b\r\n%b\r\n%b" % (method, target, version, b"".join(lines), behind)


requests = st.builds(
    _request,
    *map(st.sampled_from, (METHODS, TARGETS, VERSIONS)),
    st.lists(st.sampled_from(LINES), max_size=6),
    st.sampled_from(BEHIND),
)


@settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.lists(requests, min_size=1, max_size=4), st.lists(st.integers(1, 12_000), max_size=5))
def test_a_connection_ends_is_answered_or_has_a_time_out_whatever_comes(stream: list[bytes], cuts: list[int]) -> None:
    async def play() -> None:
        peer, rest = Peer(), b"".join(stream)
        for cut in (*cuts, len(rest)):
            if peer.wire.reading and not peer.wire.closing:
                (peer.wire.protocol or peer.protocol).data_received(rest[:cut])
                rest = rest[cut:]
            for _ in range(20):
                await asyncio.sleep(0)

        http = peer.protocol
        assert peer.wire.closing or http._deadline or http.timeout_keep_alive_task
        (peer.wire.protocol or http).shutdown()
        (peer.wire.protocol or http).connection_lost(ConnectionResetError())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not http.tasks

    asyncio.run(play())
