"""Failures other than a lost connection: the client ends with words that help, or goes on and says the reason."""

import asyncio
import contextlib
import http
import socket
import ssl
from collections.abc import AsyncIterator

import pytest

from klatsch_client import Client, NotAuthenticated, Status, Stopped
from klatsch_client.reasons import lost
from tests.unit.client_peer import QUICK, Peer, serving

pytestmark = pytest.mark.usefixtures("no_proxy")
_TLS_ALERT = bytes.fromhex("15030300020246")  # what a port with TLS says to plain HTTP


class Statuses:
    """Collects all that the application is told."""

    def __init__(self) -> None:
        self.told: list[Status] = []
        self._news = asyncio.Event()

    def add(self, status: Status) -> None:
        self.told.append(status)
        self._news.set()

    async def until(self, state: str, count: int = 1) -> None:
        async with asyncio.timeout(10):
            while sum(status.state == state for status in self.told) < count:
                self._news.clear()
                await self._news.wait()


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (http.HTTPStatus.NOT_FOUND, "there is no WebSocket at this path"),
        (http.HTTPStatus.FORBIDDEN, "does not let this client in"),
        (http.HTTPStatus.UNAUTHORIZED, "other credentials"),
        (http.HTTPStatus.BAD_REQUEST, "check the path"),
        (http.HTTPStatus.UPGRADE_REQUIRED, "passes upgrades on"),
        (http.HTTPStatus.OK, "check the path"),
    ],
)
async def test_an_http_answer_that_no_new_try_can_change_ends_it_with_what_to_do(
    status: http.HTTPStatus, says: str
) -> None:
    told = Statuses()
    refuse = [http.HTTPStatus.BAD_GATEWAY, http.HTTPStatus.TOO_MANY_REQUESTS, status]
    async with (
        serving(Peer.stay, refuse) as url,
        Client(url, token="t", settings=QUICK, on_status=told.add) as chat,
    ):
        with pytest.raises(Stopped, match=says) as stopped:
            await chat.wait_connected()
        assert stopped.value.code == status
        assert isinstance(stopped.value, NotAuthenticated) == (status == http.HTTPStatus.UNAUTHORIZED)
        assert [(one.state, one.code) for one in told.told] == [("lost", 502), ("lost", 429), ("closed", status)]
        assert chat.status.reason == str(stopped.value)
    assert not refuse


async def test_a_redirect_is_not_followed_and_its_target_is_said() -> None:
    seen: list[Peer] = []

    async def script(peer: Peer) -> None:
        seen.append(peer)

    async with serving(script) as elsewhere, serving(script, [http.HTTPStatus.FOUND], location=elsewhere) as url:
        async with Client(url, token="t", settings=QUICK) as chat:
            with pytest.raises(Stopped, match=f"leads to {elsewhere}") as stopped:
                await chat.wait_connected()
        assert stopped.value.code == 302
    assert not seen


async def test_a_websocket_that_is_not_klatschs_ends_it() -> None:
    async with serving(Peer.stay, speaks="mqtt") as url, Client(url, token="t", settings=QUICK) as chat:
        with pytest.raises(Stopped, match=r"does not speak klatsch\.v1"):
            await chat.wait_connected()


@contextlib.asynccontextmanager
async def _answering(with_bytes: bytes) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(with_bytes)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        [listening] = server.sockets
        yield listening.getsockname()[1]


@pytest.mark.parametrize(
    ("scheme", "answer", "says"),
    [
        ("wss", b"HTTP/1.1 400 Bad Request\r\n\r\n", "TLS failed: a port without TLS is ws://"),
        ("ws", _TLS_ALERT, "a port with TLS is wss://"),
        ("ws", b"", "a port with TLS is wss://"),
    ],
)
async def test_tls_on_the_wrong_port_is_tried_again_and_the_status_says_what_it_may_be(
    scheme: str, answer: bytes, says: str
) -> None:
    told = Statuses()
    async with (
        _answering(answer) as port,
        Client(f"{scheme}://127.0.0.1:{port}/ws", token="t", settings=QUICK, on_status=told.add) as chat,
    ):
        await told.until("lost", 2)
        assert chat.status.state == "lost"
        assert says in str(chat.status.reason)


async def test_a_server_that_is_away_is_waited_for_and_the_status_says_so_until_it_is_there() -> None:
    told = Statuses()
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    async with Client(f"ws://127.0.0.1:{port}/ws", token="t", settings=QUICK, on_status=told.add) as chat:
        assert chat.status == Status("connecting")
        await told.until("lost", 2)
        assert "nothing listens there" in str(chat.status.reason)
        async with serving(_welcome_and_stay, port=port):
            await chat.wait_connected()
            assert chat.status == Status("open")
    assert chat.status.state == "closed"


async def _welcome_and_stay(peer: Peer) -> None:
    await peer.welcome()
    await peer.stay()


async def test_a_close_code_that_means_resume_is_in_the_status_with_its_reason() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        if peer.number == 1:
            await peer.socket.close(4301, "The gateway is draining.")
        await peer.stay()

    told = Statuses()
    async with serving(script) as url, Client(url, token="t", settings=QUICK, on_status=told.add):
        await told.until("open", 2)
    assert told.told[:3] == [Status("open"), Status("lost", "The gateway is draining.", 4301), Status("open")]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (socket.gaierror(-2, "Name or service not known"), "the host's address cannot be found"),
        (ssl.SSLCertVerificationError("self-signed certificate"), "the server's certificate does not count"),
        (TimeoutError(), "no answer in time"),
        (OSError(101, "Network is unreachable"), "Network is unreachable"),
    ],
)
def test_what_may_heal_is_tried_again_and_said_in_words(error: Exception, says: str) -> None:
    status = lost(error, "wss://chat.example/ws")
    assert status.state == "lost"
    assert says in str(status.reason)
    assert "wss://chat.example/ws" in str(status.reason)


@pytest.mark.parametrize("token", ["", "read-from-a-file\n", "two words", "ünïcode"])
def test_a_token_that_no_header_can_hold_is_a_value_error(token: str) -> None:
    with pytest.raises(ValueError, match="bearer token"):
        Client("ws://chat.example/ws", token=token)


async def test_a_host_that_no_name_can_have_ends_it() -> None:
    async with Client(f"ws://{'x' * 70}.example/ws", token="t", settings=QUICK) as chat:
        with pytest.raises(Stopped, match="no address"):
            await chat.wait_connected()


@pytest.mark.parametrize("url", ["ws://chat.example:99999/ws", "ws://chat.example:x/ws", "ws://:8000/ws"])
def test_an_address_that_nothing_can_have_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match=r"[Pp]ort|no address"):
        Client(url, token="t")
