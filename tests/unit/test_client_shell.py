"""The client on real sockets, against a server that does what a test says."""

import asyncio
from typing import Any

import pytest

from klatsch_client import (
    Client,
    Message,
    Settings,
    Status,
    Stopped,
    View,
    connection,
    keeping,
    retries,
)
from tests.unit.client_peer import QUICK, Peer, serving, token_of

pytestmark = pytest.mark.usefixtures("no_proxy")


async def test_closed_with_43xx_it_comes_back_with_the_token_of_the_last_mark_and_tells_nothing_twice() -> None:
    resumed: list[str | None] = []

    async def script(peer: Peer) -> None:
        await peer.welcome(token=peer.number - 1)
        resumed.append(peer.resume)
        await peer.push(peer.number - 1)
        await peer.push(peer.number)
        await peer.mark(peer.number)
        if peer.number == 3:
            await peer.stay()
        await peer.socket.close(4300 + peer.number)

    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        told = [await anext(chat.events()) for _ in range(4)]
    assert [event.id for event in told if isinstance(event, Message)] == ["m0", "m1", "m2", "m3"]
    assert resumed == [None, token_of(1), token_of(2)]


@pytest.mark.parametrize(
    ("steady_s", "events_most", "failures"),
    [
        (3_600, 1_000, [0, 1, 2]),
        (0, 1_000, [0, 0, 0]),
        (3_600, 1, [0, 0, 0]),  # the application has made the server wait
    ],
)
async def test_a_connection_that_ends_soon_after_its_first_mark_is_a_failure_unless_the_application_was_slow(
    monkeypatch: pytest.MonkeyPatch, steady_s: float, events_most: int, failures: list[int]
) -> None:
    tries: list[int] = []

    def pause(before: int, **_bounds: object) -> float:
        tries.append(before)
        return 0

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.push(peer.number)
        await peer.socket.close(4302)

    monkeypatch.setattr(retries, "jitter_s", pause)
    monkeypatch.setattr(keeping, "_STEADY_S", steady_s)
    settings = Settings(events_most=events_most, reload=False)
    async with serving(script) as url, Client(url, token="t", settings=settings) as chat:
        async for message in chat.messages():
            if message.id == "m4":
                break
    assert tries[:3] == failures


async def test_on_a_connection_that_has_fallen_silent_it_gives_up_and_opens_another() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome(heartbeat=-4.95 if peer.number == 1 else 25)  # twice that and 10 s of grace: 0.1 s
        if peer.number == 2:
            await peer.push(1)
        await peer.stay()

    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        assert isinstance(await anext(chat.events()), Message)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"re": "hello", "err": {"code": "forbidden", "detail": "no", "temporary": False}}, "forbidden"),
        ({"re": "hello", "ok": {}}, "does not speak"),
    ],
)
async def test_a_hello_that_is_refused_or_garbled_stops_it_and_one_that_is_for_later_does_not(
    answer: dict[str, Any], said: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read()
        later = {"re": "hello", "err": {"code": "unavailable", "detail": "later", "temporary": True}}
        await peer.write(later if peer.number < 3 else answer)
        await peer.stay()

    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        with pytest.raises(Stopped, match=said):
            await anext(chat.events())
        with pytest.raises(Stopped, match=said):
            await chat.send("hi", to="bob")


async def test_frames_that_cannot_be_read_are_dropped_with_a_warning_and_the_stream_goes_on_behind_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    resumed: list[str | None] = []

    async def script(peer: Peer) -> None:
        await peer.welcome(token=peer.number)
        resumed.append(peer.resume)
        for poison in poisons:
            await peer.socket.send(poison)
        await peer.socket.send(b'{"t":"message","pos":"1:0:8","d":"\xff"}', text=True)  # a text that is no UTF-8
        await peer.push(peer.number * 10)
        await peer.mark(peer.number * 10 + 1)
        if peer.number == 1:
            await peer.socket.close(4301)
        await peer.stay()

    poisons: list[str | bytes] = [
        "no JSON", b"\xff", "[1]", '{"t":"message","pos":"1:0:5","d":', '{"t":"message","pos":"1:0:5","d":"text"}',
        '{"t":"message","pos":"1:0:6","d":{"id":["m"],"conversation":{}}}', '{"t":"mark","resume":"1.x.0:none"}',
        '{"t":"members","pos":"1:0:7","d":{"conversation":"one","members":7}}', '{"re":5,"ok":"yes"}',
        '{"re":{},"err":7}',
    ]  # fmt: skip
    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        told = [await anext(chat.events()) for _ in range(2)]
    assert [event.id for event in told if isinstance(event, Message)] == ["m10", "m20"]
    assert resumed == [None, token_of(11)]
    warned = [record for record in caplog.records if "cannot be read was dropped" in record.message]
    assert len(warned) == 2 * (len(poisons) + 1)


async def test_a_server_whose_answer_to_hello_does_not_come_is_given_up_whatever_else_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def script(peer: Peer) -> None:
        if peer.number == 2:
            await peer.welcome()
            await peer.stay()
        while True:
            await peer.socket.send("no JSON")
            await asyncio.sleep(0.01)

    monkeypatch.setattr(connection, "HELLO_S", 0.1)
    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        await chat.wait_connected()


async def test_what_functions_of_the_application_raise_is_logged_and_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.welcome()
        if peer.number == 1:
            await peer.push(1)
            await peer.socket.close(4301)
        await peer.accept(5)
        await peer.stay()
        gone.set()

    def stands(status: Status) -> None:
        raise ZeroDivisionError(status.state)

    def changed(_conversation: str | None) -> None:
        raise ZeroDivisionError("changed")

    view = View(on_change=changed)
    async with serving(script) as url:
        async with Client(url, token="t", settings=QUICK, view=view, on_status=stands) as chat:
            assert isinstance(await anext(chat.events()), Message)
            assert (await chat.send("hi", to="bob")).id == "m5"
            assert not chat.state.unfinished
        await gone.wait()
    said = {str(record.exc_info[1]) for record in caplog.records if record.exc_info is not None}
    assert said == {"open", "lost", "closed", "changed"}


@pytest.mark.parametrize("url", ["http://chat.example/ws", "chat.example", "wss:///ws"])
def test_what_is_no_address_of_a_websocket_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        Client(url, token="t")
