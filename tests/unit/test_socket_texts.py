"""ChatSocket and text messages: taken in the callback or by the application, each once and in the order of the wire.

The cases of UTF-8, fragments, reserved bits and sizes are those of RFC 6455, as Autobahn's test suite has them.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from tests.support.waiting import until
from tests.unit.frame_bytes import chunks_of, frame
from tests.unit.socket_chat import Chat

CONT, TEXT, BINARY, PING = Opcode.CONT, Opcode.TEXT, Opcode.BINARY, Opcode.PING


class Taking(Chat):
    """A socket with an application that takes some texts at once; `order` has all texts, as they were handled."""

    def __init__(self, refused: str = "later") -> None:
        super().__init__()
        self.order: list[str] = []
        self.at_once = 0
        self._refused = refused

    async def open(self) -> None:
        await super().open()
        self.socket.take = self._take

    def _take(self, text: str) -> bool:
        if text.startswith(self._refused):
            return False
        self.order.append(text)
        self.at_once += 1
        return True

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        async def noting() -> Any:
            event = await receive()
            if event.get("text") is not None:
                await asyncio.sleep(0)  # as if it had to be looked up
                self.order.append(event["text"])
            return event

        await super()._application(scope, noting, send)


@pytest.fixture
async def chat() -> AsyncIterator[Taking]:
    async with Taking() as chat:
        yield chat


async def idle(chat: Chat) -> None:
    """Returns when the application waits for more."""
    await until(lambda: chat.socket._is_awaited and chat.socket.queue.empty() and not chat.socket._waiting)


async def test_a_text_is_taken_in_the_callback_while_the_application_waits(chat: Taking) -> None:
    await idle(chat)
    chat.socket.data_received(frame(TEXT, b"one") + frame(TEXT, "zwei ü".encode()))
    assert chat.order == ["one", "zwei ü"]
    assert chat.transport.reading
    assert chat.events == []


async def test_what_comes_behind_a_text_that_has_to_wait_waits_too(chat: Taking) -> None:
    await idle(chat)
    chat.socket.data_received(frame(TEXT, b"later 1") + frame(TEXT, b"two") + frame(TEXT, b"three"))
    assert chat.order == []
    assert not chat.transport.reading
    await until(lambda: len(chat.order) == 3)
    assert chat.order == ["later 1", "two", "three"]
    await idle(chat)
    assert chat.transport.reading
    chat.socket.data_received(frame(TEXT, b"four"))
    assert (chat.order[-1], chat.at_once) == ("four", 1)


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["now", "later", "fragments", "ping"]), st.integers(0, 5_000)), max_size=20),
    st.lists(st.integers(0, 2**20), max_size=30),
)
def test_all_texts_are_handled_once_in_the_order_of_the_wire(said: list[tuple[str, int]], cuts: list[int]) -> None:
    async def play() -> None:
        chat = Taking()
        await chat.open()
        stream, wanted = b"", []
        for number, (how, size) in enumerate(said):
            text = f"{how} {number} " + "ü" * size
            raw = text.encode()
            if how == "ping":
                stream += frame(PING, b"p")
                continue
            wanted.append(text)
            if how == "fragments":
                middle = size + 1
                stream += frame(TEXT, raw[:middle], fin=False) + frame(PING, b"") + frame(CONT, raw[middle:])
            else:
                stream += frame(TEXT, raw)
        for chunk in chunks_of(stream, cuts):
            chat.socket.data_received(chunk)
        await until(lambda: len(chat.order) == len(wanted))
        assert chat.order == wanted
        chat.lose()
        await until(lambda: not chat.socket.tasks)

    asyncio.run(play())


def _reserved(bits: int) -> bytes:
    whole = frame(TEXT, b"hi")
    return bytes([whole[0] | bits]) + whole[1:]


_WRONG = {
    "a reserved bit": (_reserved(0x40), 1002),
    "the second reserved bit": (_reserved(0x20), 1002),
    "the third reserved bit": (_reserved(0x10), 1002),
    "an unknown opcode": (b"\x83\x80" + bytes(4), 1002),
    "an unknown control opcode": (b"\x8b\x80" + bytes(4), 1002),
    "no mask": (frame(TEXT, b"hi", mask=False), 1002),
    "a text within a fragmented text": (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
    "a continuation of nothing": (frame(CONT, b"a"), 1002),
    "a long ping": (Frame(PING, b"").serialize(mask=True)[:1] + b"\xfe\x00\x7e" + bytes(4 + 126), 1002),
    "a fragmented ping": (b"\x09\x80" + bytes(4), 1002),
    "half a character": (frame(TEXT, "ü".encode()[:1]), 1007),
    "a surrogate in UTF-8": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "an overlong form": (frame(TEXT, b"\xc0\xaf"), 1007),
    "beyond Unicode": (frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
    "half a character in fragments": (frame(TEXT, b"\xc3", fin=False) + frame(CONT, b"\x28"), 1007),
    "a close code that is none": (frame(Opcode.CLOSE, (999).to_bytes(2, "big")), 1002),
    "half a close code": (frame(Opcode.CLOSE, b"\x03"), 1002),
    "a close reason that is not UTF-8": (frame(Opcode.CLOSE, b"\x03\xe8\xff"), 1007),
    "more than a frame may have": (b"\x81\xff" + (2**40).to_bytes(8, "big") + bytes(4) + b"x", 1009),
}


@pytest.mark.parametrize(("wrong", "code"), _WRONG.values(), ids=_WRONG)
@pytest.mark.parametrize("cut", [0, 1, 3])
async def test_what_the_protocol_forbids_gets_its_code_after_a_text_was_taken(
    chat: Taking, wrong: bytes, code: int, cut: int
) -> None:
    await idle(chat)
    stream = frame(TEXT, b"before") + wrong + frame(TEXT, b"behind")
    middle = len(frame(TEXT, b"before")) + cut
    for chunk in (stream[:middle], stream[middle:]):
        chat.socket.data_received(chunk)
    await until(lambda: chat.close_code() is not None)
    assert chat.close_code() == code
    assert "behind" not in chat.order


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([b"a", b"b", b"c"], "abc"),
        ([b"", b"", b""], ""),
        (["κόσμε".encode()[:3], "κόσμε".encode()[3:]], "κόσμε"),
    ],
)
async def test_fragments_with_a_ping_between_them_are_one_text(chat: Taking, parts: list[bytes], text: str) -> None:
    await idle(chat)
    stream = frame(TEXT, parts[0], fin=False)
    for part in parts[1:-1]:
        stream += frame(PING, b"") + frame(CONT, part, fin=False)
    chat.socket.data_received(stream + frame(CONT, parts[-1]) + frame(TEXT, b"next"))
    await until(lambda: len(chat.order) == 2)
    assert chat.order == [text, "next"]


async def test_after_a_close_no_text_is_taken(chat: Taking) -> None:
    await idle(chat)
    chat.socket.data_received(frame(Opcode.CLOSE, (1000).to_bytes(2, "big")) + frame(TEXT, b"behind"))
    await until(lambda: chat.close_code() is not None)
    assert (chat.close_code(), chat.order) == (1000, [])


async def test_texts_that_are_taken_count_like_others(chat: Taking) -> None:
    await idle(chat)
    chat.socket.data_received(frame(TEXT, b"x") * 200)
    assert chat.close_code() == 4429
    assert len(chat.order) < 128
