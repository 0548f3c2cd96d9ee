"""Pairs that talk: each A keeps a window of unanswered messages to its B, until time is up."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.systems import OpenPair

_DRAIN_S: Final = 120
_TIMED_ONE_IN: Final = 8


@dataclass(slots=True)
class Tally:
    """The clients' counts. Latencies in seconds, of one message in eight, from the send."""

    answered: int = 0
    delivered: int = 0
    disordered: int = 0
    """Messages that came after a later one of the same sender."""
    refused: list[str] = field(default_factory=list)
    answer_s: list[float] = field(default_factory=list)
    delivery_s: list[float] = field(default_factory=list)

    def check(self) -> None:
        """Raises SystemExit if a message was refused."""
        if self.refused:
            raise SystemExit(f"{len(self.refused)} messages were refused, the first: {self.refused[0]}")


class Pair:
    """A's and B's connections, and what is on its way between them."""

    def __init__(self, opened: OpenPair, tally: Tally) -> None:
        self._a, self._dialect, self.tally = opened.a, opened.dialect, tally
        self.sent = self._last_delivered = 0
        self._sent_at: dict[int, float] = {}
        self.running = False
        self.unanswered = self.undelivered = 0
        opened.a.on_text = self._on_answer
        opened.b.on_text = self._on_push

    def send(self) -> None:
        self.sent = number = self.sent + 1
        if number % _TIMED_ONE_IN == 0:
            self._sent_at[number] = time.perf_counter()
        self.unanswered += 1
        self.undelivered += 1
        self._dialect.send(self._a, number)

    def _on_answer(self, payload: bytes) -> None:
        number = self._dialect.answer(payload)
        if not number:
            return
        self.unanswered -= 1
        if number > 0:
            self.tally.answered += 1
            self._time(self.tally.answer_s, number)
        else:
            self.undelivered -= 1
            self.tally.refused.append(payload.decode(errors="replace"))
        if self.running:
            self.send()

    def _on_push(self, payload: bytes) -> None:
        number = self._dialect.delivery(payload)
        if not number:
            return
        self.undelivered -= 1
        self.tally.delivered += 1
        if number < self._last_delivered:
            self.tally.disordered += 1
        self._last_delivered = number
        self._time(self.tally.delivery_s, number)

    def _time(self, latencies: list[float], number: int) -> None:
        if sent_at := self._sent_at.get(number):
            latencies.append(time.perf_counter() - sent_at)

    def forget_times(self, tally: Tally) -> None:
        """Begins another measurement, once nothing is on its way."""
        self.tally = tally
        self._sent_at.clear()


async def greet(opened: Sequence[OpenPair]) -> list[Pair]:
    """Returns pairs that have said one message each, so that their conversations exist before the clock runs."""
    tally = Tally()
    pairs = [Pair(one, tally) for one in opened]
    for pair in pairs:
        pair.send()
    await drain(pairs)
    tally.check()
    return pairs


async def talk(pairs: Sequence[Pair], window: int, seconds: float, *, pace: float = 0.0) -> float:
    """Sends for a number of seconds, waits until all is answered and delivered, and returns how long that took in all.

    A system that answers late has its window to work off after the sending: that time counts too.
    With a `pace`, all pairs together send so many messages a second in turn, whatever is answered.
    """
    began = time.perf_counter()
    if pace:
        await _send_at(pairs, pace, seconds)
    else:
        for pair in pairs:
            pair.running = True
            for _ in range(window):
                pair.send()
        await asyncio.sleep(seconds)
        for pair in pairs:
            pair.running = False
    await drain(pairs)
    return time.perf_counter() - began


async def _send_at(pairs: Sequence[Pair], pace: float, seconds: float) -> None:
    began, sent = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        while sent < passed * pace:
            pairs[sent % len(pairs)].send()
            sent += 1
        await asyncio.sleep(0.001)


async def drain(pairs: Sequence[Pair]) -> None:
    """Returns when all is answered and delivered; ends the run if that takes too long."""
    deadline = time.perf_counter() + _DRAIN_S
    while any(pair.unanswered or pair.undelivered for pair in pairs):
        if time.perf_counter() > deadline:
            missing = sum(pair.undelivered for pair in pairs), sum(pair.unanswered for pair in pairs)
            raise SystemExit(f"after {_DRAIN_S} s {missing[0]} messages are not delivered, {missing[1]} not answered")
        await asyncio.sleep(0.01)
