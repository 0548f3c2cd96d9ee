"""A WebSocket client that speaks raw frames as protocol.md says, and keeps the history of all that it saw."""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from klatsch.core.ids import uuid7
from tests.support.frames import check_received, check_written
from tests.support.process import HOST, GatewayProcess
from tests.support.system import Person

SUBPROTOCOL = "klatsch.v1"
_DEADLINE_S = 60.0


@dataclass(slots=True)
class Attempt:
    """An attempt to send: written down before its bytes leave, answered at most once."""

    client_id: str
    content: str
    invoked_s: float
    answer: dict[str, Any] | None = None
    answered_s: float = 0.0

    @property
    def ok(self) -> dict[str, Any] | None:
        """Returns what `ok` says, if that is the answer."""
        return None if self.answer is None else self.answer.get("ok")

    @property
    def code(self) -> str | None:
        """Returns the code of `err`, if that is the answer."""
        return None if self.answer is None or "err" not in self.answer else str(self.answer["err"]["code"])

    @property
    def message_id(self) -> str:
        assert self.ok is not None, f"not ok: {self.answer}"
        return str(self.ok["id"])

    @property
    def position(self) -> str:
        assert self.ok is not None, f"not ok: {self.answer}"
        return str(self.ok["position"])


@dataclass(slots=True)
class History:
    """A history of what one connection did and saw, in order."""

    attempts: list[Attempt] = field(default_factory=list)
    frames: list[dict[str, Any]] = field(default_factory=list)

    def pushes(self, kind: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame.get("t") == kind]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Returns the bodies of the messages that were pushed."""
        return [frame["d"] for frame in self.pushes("message")]

    @property
    def contents(self) -> list[str]:
        return [str(message["content"]) for message in self.messages]


class Client:
    """A connection. `history` is all that has come until now; `closed` is the server's code, once it has closed."""

    def __init__(self, connection: ClientConnection) -> None:
        self.socket = connection
        self.history = History()
        self.closed: int | None = None
        self.reason = ""
        self.token: str | None = None
        self._by_frame: dict[int, Attempt] = {}
        self._next_id = 0
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def connect(
        cls,
        gateway: GatewayProcess,
        person: Person | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        subprotocols: Sequence[str] = (SUBPROTOCOL,),
        query: str = "",
        receive_buffer_bytes: int | None = None,
    ) -> "Client":
        """Opens a socket and says nothing yet; with a small buffer of the kernel's, where it is to be full soon."""
        raw = socket.socket()
        raw.setblocking(False)
        if receive_buffer_bytes is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        await asyncio.get_running_loop().sock_connect(raw, (HOST, gateway.port))
        all_headers = dict(headers or {})
        if person is not None:
            all_headers["Authorization"] = f"Bearer {person.token}"
        connection = await connect(
            f"ws://{HOST}:{gateway.port}/ws{query}",
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
            additional_headers=all_headers,
            compression=None,
            max_size=None,
            max_queue=None,
            ping_interval=None,
            proxy=None,
            sock=raw,
            open_timeout=_DEADLINE_S,
        )
        return cls(connection)

    @classmethod
    async def open(
        cls,
        gateway: GatewayProcess,
        person: Person,
        *,
        resume: str | None = None,
        receive_buffer_bytes: int | None = None,
    ) -> "Client":
        """Opens a socket, says hello and waits for the mark."""
        client = await cls.connect(gateway, person, receive_buffer_bytes=receive_buffer_bytes)
        answer = await client.request("hello", {"resume": resume})
        assert "ok" in answer, answer
        await client.until(lambda: client.token is not None, "the mark of hello")
        return client

    def stop_reading(self) -> None:
        """Takes not a byte from now on, so that the kernel's buffers fill."""
        self.socket.transport.pause_reading()

    def read_on(self) -> None:
        """Takes what is there, in large bites: a window that was made small would take seconds."""
        raw: socket.socket = self.socket.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_000_000)
        self.socket.transport.resume_reading()

    async def _read(self) -> None:
        try:
            async for raw in self.socket:
                frame = json.loads(raw)
                self._take(frame)
                check_received(frame)
        except ConnectionClosed:
            pass
        self.closed, self.reason = self.socket.close_code, self.socket.close_reason or ""
        self._news.set()

    def _take(self, frame: dict[str, Any]) -> None:
        self.history.frames.append(frame)
        attempt = self._by_frame.get(frame["re"]) if isinstance(frame.get("re"), int) else None
        if attempt is not None:
            assert attempt.answer is None, f"answered twice: {attempt} {frame}"
            attempt.answer, attempt.answered_s = frame, time.monotonic()
        if frame.get("t") == "mark":
            self.token = frame["resume"]
        self._news.set()

    async def until(self, condition: Callable[[], object], what: str, deadline_s: float = _DEADLINE_S) -> None:
        """Waits for what comes over this socket to make the condition true."""
        try:
            async with asyncio.timeout(deadline_s):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            last = self.history.frames[-3:]
            raise AssertionError(f"not within {deadline_s} s: {what}; closed: {self.closed}; last: {last}") from None

    async def until_closed(self, deadline_s: float = _DEADLINE_S) -> int:
        """Returns the server's close code."""
        await self.until(lambda: self.closed is not None, "the server closes", deadline_s)
        assert self.closed is not None
        return self.closed

    async def write(self, raw: str | bytes, *, text: bool | None = None) -> None:
        """Writes one frame of exactly these bytes; `text` says that bytes go as a text frame, whatever they are."""
        check_written(raw)
        await self.socket.send(raw, text=text)

    async def request(self, op: str, body: object) -> dict[str, Any]:
        """Writes a frame and waits for its answer."""
        number = self._take_id()
        await self.write(json.dumps({"id": number, "op": op, "d": body}))
        return await self.answer_to(number)

    async def answer_to(self, number: int | str | None) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            return [frame for frame in self.history.frames if "re" in frame and frame["re"] == number]

        await self.until(lambda: found() or self.closed is not None, f"an answer to {number!r}")
        assert found(), f"closed with {self.closed} before an answer to {number!r}"
        return found()[0]

    async def post(
        self, content: str, *, to: str | None = None, conversation: str | None = None, client_id: str | None = None
    ) -> Attempt:
        """Writes a send and does not wait for its answer."""
        name = client_id or uuid7(time.time_ns() // 1_000_000)
        place = {"to": to} if conversation is None else {"conversation": conversation}
        number = self._take_id()
        attempt = self._by_frame[number] = Attempt(name, content, time.monotonic())
        self.history.attempts.append(attempt)
        await self.write(
            json.dumps({"id": number, "op": "send", "d": {**place, "client_id": name, "content": content}})
        )
        return attempt

    async def send(
        self, content: str, *, to: str | None = None, conversation: str | None = None, client_id: str | None = None
    ) -> Attempt:
        """Writes a send and waits for its answer."""
        attempt = await self.post(content, to=to, conversation=conversation, client_id=client_id)
        await self.answered([attempt])
        return attempt

    async def answered(self, attempts: Sequence[Attempt], deadline_s: float = _DEADLINE_S) -> None:
        """Waits until each has its answer, or the connection is closed."""
        await self.until(
            lambda: self.closed is not None or all(attempt.answer is not None for attempt in attempts),
            f"answers to {len(attempts)} sends",
            deadline_s,
        )

    async def received(self, *contents: str, deadline_s: float = _DEADLINE_S) -> None:
        """Waits until messages of these contents have been pushed here."""
        await self.until(lambda: set(contents) <= set(self.history.contents), f"pushes of {contents}", deadline_s)

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id

    async def close(self) -> None:
        """Ends this side, whatever state it is in."""
        self._reading.cancel()
        self.socket.transport.abort()
        [ended] = await asyncio.gather(self._reading, return_exceptions=True)
        await self.socket.wait_closed()
        if isinstance(ended, AssertionError):  # what came is not as docs/asyncapi.yaml says
            raise ended
