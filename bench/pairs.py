"""The pairs scenario of performance.md: A sends to B within a window, until time is up."""

import asyncio
import json
import time
from dataclasses import dataclass, field

from bench.client import Socket, connect
from bench.people import BenchPerson

TEXT = "x" * 100
_DRAIN_S = 30


@dataclass(slots=True)
class Tally:
    """The clients' counts. Latencies in seconds, of one message in eight: from the send to the later of both ends."""

    answered: int = 0
    delivered: int = 0
    errors: list[str] = field(default_factory=list)
    answer_s: list[float] = field(default_factory=list)
    delivery_s: list[float] = field(default_factory=list)


class Pair:
    """A's and B's connections. Client ids are UUIDv7s made of the time and a number."""

    def __init__(self, a: Socket, b: Socket, to: str, tally: Tally) -> None:
        self._a, self.tally, self._to = a, tally, to
        self._number = 0
        self._sent_at: dict[int, float] = {}
        self.running = True
        self.unanswered = self.undelivered = 0
        a.on_text = self._on_answer
        b.on_text = self._on_push

    def send(self) -> None:
        self._number = number = self._number + 1
        now = int(time.time() * 1000)
        client_id = f"{now >> 16:08x}-{now & 0xFFFF:04x}-7000-8000-{number:012x}"
        if number % 8 == 0:
            self._sent_at[number] = time.perf_counter()
        self.unanswered += 1
        self.undelivered += 1
        self._a.send(
            b'{"id":%d,"op":"send","d":{"to":"%b","client_id":"%b","content":"%b"}}'
            % (number, self._to.encode(), client_id.encode(), TEXT.encode())
        )

    def _on_answer(self, payload: bytes) -> None:
        if not payload.startswith(b'{"re":'):
            return
        number = int(payload[6 : payload.index(b",", 6)])
        self.unanswered -= 1
        if b'"ok"' in payload:
            self.tally.answered += 1
            self._time(self.tally.answer_s, number)
        else:
            self.undelivered -= 1
            self.tally.errors.append(payload.decode())
        if self.running:
            self.send()

    def _on_push(self, payload: bytes) -> None:
        if not payload.startswith(b'{"t":"message"'):
            return
        self.undelivered -= 1
        self.tally.delivered += 1
        at = payload.index(b'"client_id":"') + 13
        number = int(payload[at + 24 : at + 36], 16)
        self._time(self.tally.delivery_s, number)

    def _time(self, latencies: list[float], number: int) -> None:
        if sent_at := self._sent_at.get(number):
            latencies.append(time.perf_counter() - sent_at)


async def open_pairs(host: str, port: int, people: list[BenchPerson], tally: Tally) -> list[Pair]:
    """Connects all pairs. Each A writes once, so that the conversation exists before the clock runs."""
    sockets: list[Socket] = []
    for begin in range(0, len(people), 20):
        some = people[begin : begin + 20]
        sockets += await asyncio.gather(*(connect(host, port, person.token) for person in some))
    pairs = [Pair(sockets[i], sockets[i + 1], people[i + 1].username, tally) for i in range(0, len(people), 2)]
    for pair in pairs:
        pair.running = False
        pair.send()
    await drain(pairs)
    if tally.errors:
        raise SystemExit(f"the first messages were refused: {json.loads(tally.errors[0])}")
    return pairs


async def run_pairs(pairs: list[Pair], window: int, seconds: float) -> float:
    """Sends for a number of seconds, waits until all is answered and delivered, and returns the seconds of sending."""
    began = time.perf_counter()
    for pair in pairs:
        pair.running = True
        for _ in range(window):
            pair.send()
    await asyncio.sleep(seconds)
    for pair in pairs:
        pair.running = False
    took = time.perf_counter() - began
    await drain(pairs)
    return took


async def drain(pairs: list[Pair]) -> None:
    deadline = time.perf_counter() + _DRAIN_S
    while any(pair.unanswered or pair.undelivered for pair in pairs):
        if time.perf_counter() > deadline:
            missing = sum(pair.undelivered for pair in pairs), sum(pair.unanswered for pair in pairs)
            raise SystemExit(f"after {_DRAIN_S} s {missing[0]} messages are not delivered, {missing[1]} not answered")
        await asyncio.sleep(0.01)
