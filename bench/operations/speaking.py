"""People who keep a window of unanswered operations: the loop of the scenarios changes, markers and mixed."""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bench.client import Socket
from bench.crew import until
from bench.meter import LoopWatch, Meter, Used

_DRAIN_S: Final = 60.0
_AGAIN_S: Final = 1.0

Operation = tuple[str, bytes]
"""An operation's name and its frame."""


@dataclass(slots=True)
class Tally:
    """The answers of a measurement, by operation. Times in seconds."""

    ok: Counter[str] = field(default_factory=Counter)
    answer_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: list[str] = field(default_factory=list)


class Speaker:
    """A person's connection. `compose(number)` makes the next operation; `on_ok` and `on_push` see what comes back.

    A refused operation is followed by the next one, after the time that the refusal names.
    """

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._number = 0
        self._waiting: dict[int, tuple[str, float]] = {}
        self._running = False
        self.tally = Tally()
        self.compose: Callable[[int], Operation]
        self.on_ok: Callable[[int, dict[str, Any]], None] = lambda _number, _ok: None
        self.on_push: Callable[[bytes], None] = lambda _payload: None
        socket.on_text = self._take

    @property
    def unanswered(self) -> int:
        return len(self._waiting)

    def begin(self, window: int) -> None:
        self._running = True
        for _ in range(window):
            self.say()

    def end(self) -> None:
        self._running = False

    def say(self) -> None:
        """Sends one operation."""
        self._number = number = self._number + 1
        name, payload = self.compose(number)
        self._waiting[number] = name, time.perf_counter()
        self._socket.send(payload)

    def _take(self, payload: bytes) -> None:
        if not payload.startswith(b'{"re":'):
            self.on_push(payload)
            return
        answer = json.loads(payload)
        name, sent_at = self._waiting.pop(answer["re"])
        wait_s = 0.0
        if "ok" in answer:
            self.tally.ok[name] += 1
            self.tally.answer_s[name].append(time.perf_counter() - sent_at)
            self.on_ok(answer["re"], answer["ok"])
        else:
            self.tally.refused.append(payload.decode())
            wait_s = answer["err"].get("retry_after") or _AGAIN_S
        if wait_s:
            asyncio.get_running_loop().call_later(wait_s, self._go_on)
        else:
            self._go_on()

    def _go_on(self) -> None:
        if self._running:
            self.say()


@dataclass(frozen=True, slots=True)
class Spoken:
    """A measurement: its answers, the seconds until the last one, and what it used."""

    tally: Tally
    seconds: float
    used: Used


async def speak(speakers: Sequence[Speaker], window: int, seconds: float) -> Spoken:
    """Lets all speak for a number of seconds, and waits for the last answers."""
    tally, meter, watch = Tally(), Meter(), LoopWatch()
    for speaker in speakers:
        speaker.tally = tally
    meter.begin()
    watch.begin()
    began = time.perf_counter()
    for speaker in speakers:
        speaker.begin(window)
    await asyncio.sleep(seconds)
    for speaker in speakers:
        speaker.end()
    await wait_answered(speakers)
    took = time.perf_counter() - began
    return Spoken(tally, took, meter.end([await watch.end()]))


async def wait_answered(speakers: Sequence[Speaker]) -> None:
    """Returns when nothing is unanswered; ends the run if that takes too long."""
    if not await until(lambda: not any(speaker.unanswered for speaker in speakers), _DRAIN_S):
        raise SystemExit(f"after {_DRAIN_S:.0f} s {sum(speaker.unanswered for speaker in speakers)} are not answered")
