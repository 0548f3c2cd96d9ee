"""A client of the storm: it sends, receives, loses its gateway, and reconnects like a well-behaved client."""

import asyncio
import time

import msgspec

from bench.client import Socket, open_socket
from bench.people import BenchPerson
from bench.storm.record import Place, Record, Shown, Stream, advanced, offsets_of, place_of
from klatsch_client.retries import Backoff

_TEXT = "x" * 100
_OPEN_S = 20.0
_PAUSE_MOST_S = 20.0
_AGAIN_S = 0.25
_HELLO = 0
"""The frame id of a hello; sends count from 1."""


class _Body(msgspec.Struct):
    id: str = ""
    kind: str = ""


class _Push(msgspec.Struct):
    d: _Body
    pos: str = ""


class _Answer(msgspec.Struct):
    re: int
    ok: dict[str, object] | None = None
    err: dict[str, object] | None = None


_push = msgspec.json.Decoder(_Push).decode
_answer = msgspec.json.Decoder(_Answer).decode


class Client:
    """A person's one device. `ports` are the gateways in the order in which it goes to them, the last one again.

    With `advances` its token moves by the pushes that it gets, as it may; otherwise it presents its last mark's.
    """

    def __init__(
        self,
        person: BenchPerson,
        peer: BenchPerson,
        ports: list[tuple[str, int]],
        *,
        idle: bool = False,
        advances: bool = False,
        jitter_s: float,
    ) -> None:
        self.record = Record(person.username, peer.username, idle)
        self.advances = advances
        self.unanswered: dict[int, bytes] = {}
        self.is_ready = False
        self._person, self._ports = person, ports
        self._jitter_s = jitter_s
        self._number = 0
        self._token: str | None = None
        self._socket: Socket | None = None
        self._marked: asyncio.Future[None]
        self._returning: asyncio.Task[None] | None = None
        self._client_ids: dict[int, str] = {}
        self.is_leaving = False

    async def open(self) -> None:
        """Connects where it belongs now, and returns with the first mark; retries until it succeeds."""
        backoff = Backoff(self._jitter_s, _PAUSE_MOST_S)
        while True:
            try:
                await self._open_once()
            except (OSError, RuntimeError, TimeoutError) as error:
                self.record.failures.append(str(error) or type(error).__name__)
                await asyncio.sleep(backoff.next_s())
            else:
                return

    async def _open_once(self) -> None:
        token = self._token
        was_cut = bool(self.record.streams) and self.record.streams[-1].marked_at is None
        stream = Stream(
            None if token is None else offsets_of(token), time.monotonic(), repeats=was_cut or not self.advances
        )
        async with asyncio.timeout(_OPEN_S):
            socket = await open_socket(*self._ports[0], self._person.token)
            self._marked = marked = asyncio.get_running_loop().create_future()
            self._socket, socket.on_text, socket.on_lost = socket, self._take, self._lose
            self.record.streams.append(stream)
            socket.send(msgspec.json.encode({"id": _HELLO, "op": "hello", "d": {"resume": token}}))
            try:
                await marked
            except BaseException:  # the deadline's, or the end of the connection
                socket.transport.abort()
                raise
        for frame in list(self.unanswered.values()):
            socket.send(frame)

    def say(self) -> None:
        """Sends another message to the peer."""
        self._number = number = self._number + 1
        now = int(time.time() * 1000)
        client_id = f"{now >> 16:08x}-{now & 0xFFFF:04x}-7000-8000-{number:012x}"
        self.record.sent.add(client_id)
        self._client_ids[number] = client_id
        frame = b'{"id":%d,"op":"send","d":{"to":"%b","client_id":"%b","content":"%b"}}' % (
            number, self.record.peer.encode(), client_id.encode(), _TEXT.encode()
        )  # fmt: skip
        self.unanswered[number] = frame
        if self._socket is not None and self.is_ready:
            self._socket.send(frame)

    def leave(self) -> None:
        """Ends the connection for good."""
        self.is_leaving = True
        if self._socket is not None:
            self._socket.transport.close()

    def _lose(self, reason: str) -> None:
        self.is_ready, self._socket = False, None
        if not self._marked.done():
            self._marked.set_exception(RuntimeError(reason))
        elif not self._marked.cancelled() and not self.is_leaving:
            if self.record.lost_at is None:
                self.record.lost_at, self.record.in_flight = time.monotonic(), len(self.unanswered)
            self._ports = self._ports[1:] or self._ports
            self._returning = asyncio.get_running_loop().create_task(self._return())

    async def _return(self) -> None:
        """Reconnects after a random wait, as all clients lost their gateway at one moment."""
        await asyncio.sleep(Backoff(self._jitter_s, _PAUSE_MOST_S).next_s())
        await self.open()

    def _take(self, payload: bytes) -> None:
        stream = self.record.streams[-1]
        if payload.startswith(b'{"t":"message",'):
            push = _push(payload)
            self._show(stream, push.d.id, place_of(push.pos))
        elif payload.startswith(b'{"re":'):
            self._take_answer(stream, _answer(payload))
        elif payload.startswith(b'{"t":"mark"'):
            self._take_mark(stream, payload[len(b'{"t":"mark","resume":"') : -2].decode())
        elif payload.startswith(b'{"t":"state"'):
            body = _push(payload).d
            if body.kind == "message":
                self._show(stream, body.id, None)
        elif payload.startswith(b'{"t":"reset"'):
            stream.resets += 1

    def _show(self, stream: Stream, message_id: str, place: Place | None) -> None:
        stream.shown.append(Shown(message_id, place))
        # Before the mark what comes is a replay: a token that was advanced by it would tell of more than was shown.
        if self.advances and self.is_ready and place is not None and self._token is not None:
            self._token = advanced(self._token, place)

    def _take_mark(self, stream: Stream, token: str) -> None:
        self._token = token
        if stream.marked_at is None:
            stream.marked_at, stream.base = time.monotonic(), offsets_of(token)
            self.is_ready = True
            self._marked.set_result(None)

    def _take_answer(self, stream: Stream, answer: _Answer) -> None:
        if answer.re == _HELLO:
            stream.resumed = answer.ok is not None and answer.ok["resumed"] is True
        elif answer.ok is not None:
            self.unanswered.pop(answer.re, None)
            self.record.acknowledged[self._client_ids[answer.re]] = str(answer.ok["id"])
            self.record.duplicates += answer.ok["duplicate"] is True
        elif answer.err is not None:
            self.record.refused.append(str(answer.err["code"]))
            if answer.err["temporary"]:
                asyncio.get_running_loop().call_later(_AGAIN_S, self._say_again, answer.re)
            else:
                self.unanswered.pop(answer.re, None)

    def _say_again(self, number: int) -> None:
        frame = self.unanswered.get(number)
        if frame is not None and self._socket is not None and self.is_ready:
            self._socket.send(frame)
