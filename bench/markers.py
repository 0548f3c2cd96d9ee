"""The markers scenario: marks a second of people who read on, CPU by process, and how seldom the writers are told.

Each person has read a conversation of some messages a little further with each mark; a client marks far less often. The
person's marks are answered at once and appended once a second, so that the writer of the messages gets few pushes.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import uvloop

from bench.archive import durability
from bench.client import Socket, connect, fresh_name, request
from bench.cpu import KINDS, snapshot, used_between
from bench.machine import describe_machine
from bench.people import BenchPerson, make_people
from bench.storm.worker import until

_DEADLINE_S: Final = 60.0
_SETTLE_S: Final = 10.0
"""The time for the last marker to be told: it is appended up to a second after its mark."""


def add_markers(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    parser = scenarios.add_parser("markers", help="marks a second, and how seldom others are told", description=__doc__)
    add = parser.add_argument
    add("--people", type=int, default=50, help="people who read (default: %(default)s)")
    add("--window", type=int, default=8, help="unanswered marks of each (default: %(default)s)")
    add("--messages", type=int, default=200, help="messages that each has to read (default: %(default)s)")
    add("--seconds", type=float, default=10, help="how long they read (default: %(default)s)")
    parser.set_defaults(run=lambda arguments: uvloop.run(_run(arguments)))
    return parser


@dataclass(slots=True)
class _Tally:
    ok: int = 0
    refused: list[str] = field(default_factory=list)
    answer_s: list[float] = field(default_factory=list)


class _Writer:
    """Writes the messages, and notes when it was told how far they were read."""

    def __init__(self, socket: Socket, reader: str) -> None:
        self._socket = socket
        self._reader = reader
        self._number = 0
        self._to_say = 0
        self.told: list[tuple[float, str]] = []
        """When, and the position up to which the reader had read."""
        socket.on_text = self._on_text

    def say(self, messages: int, window: int) -> None:
        """Sends so many messages, a few at a time."""
        self._to_say = messages
        for _ in range(min(window, messages)):
            self._say()

    def _say(self) -> None:
        if self._to_say:
            self._to_say -= 1
            self._number += 1
            body = {"to": self._reader, "client_id": fresh_name(self._number), "content": "hi"}
            self._socket.send(request(self._number, "send", body))

    def _on_text(self, payload: bytes) -> None:
        if payload.startswith(b'{"re":'):
            answer = json.loads(payload)
            if "err" in answer:  # said again: the marks alone are measured
                self._to_say += 1
                asyncio.get_running_loop().call_later(answer["err"].get("retry_after") or 1.0, self._say)
            else:
                self._say()
        elif payload.startswith(b'{"t":"marker"'):
            read = json.loads(payload)["d"]["read"]
            if read is not None:
                self.told.append((time.perf_counter(), read))


class _Reader:
    """Marks the messages as read, one after the other over the time of the run."""

    def __init__(self, socket: Socket, tally: _Tally) -> None:
        self._socket = socket
        self._tally = tally
        self._number = 0
        self._sent_at: dict[int, float] = {}
        self._seconds = self._began = 0.0
        self.conversation = ""
        self.positions: list[str] = []
        self.running = False
        self.last = ""
        socket.on_text = self._on_text

    @property
    def unanswered(self) -> int:
        return len(self._sent_at)

    def begin(self, window: int, seconds: float) -> None:
        self._seconds, self._began, self.running = seconds, time.perf_counter(), True
        for _ in range(window):
            self._mark()

    def end(self) -> None:
        """Marks the last message, and no more."""
        self.running = False
        self._mark(1.0)

    def _mark(self, part: float | None = None) -> None:
        now = time.perf_counter()
        reached = min((now - self._began) / self._seconds, 1.0) if part is None else part
        self.last = self.positions[min(int(reached * len(self.positions)), len(self.positions) - 1)]
        self._number += 1
        self._sent_at[self._number] = now
        self._socket.send(request(self._number, "mark", {"conversation": self.conversation, "read": self.last}))

    def _on_text(self, payload: bytes) -> None:
        if payload.startswith(b'{"t":"message"'):
            push = json.loads(payload)
            self.conversation = push["d"]["conversation"]
            self.positions.append(push["pos"])
        elif payload.startswith(b'{"re":'):
            self._on_answer(payload)

    def _on_answer(self, payload: bytes) -> None:
        answer = json.loads(payload)
        took = time.perf_counter() - self._sent_at.pop(answer["re"])
        wait_s = 0.0
        if "err" in answer:
            self._tally.refused.append(payload.decode())
            wait_s = answer["err"].get("retry_after") or 1.0
        else:
            self._tally.ok += 1
            self._tally.answer_s.append(took)
        if wait_s:
            asyncio.get_running_loop().call_later(wait_s, self._go_on)
        else:
            self._go_on()

    def _go_on(self) -> None:
        if self.running:
            self._mark()


async def _run(arguments: argparse.Namespace) -> None:
    print(f"machine: {describe_machine()}\nservers: {durability()}, acks=all")
    tally = _Tally()
    pairs = await _open(arguments, make_people(arguments.people * 2), tally)
    for writer, _ in pairs:
        writer.say(arguments.messages, arguments.window)
    readers = [reader for _, reader in pairs]
    await _all(lambda: all(len(reader.positions) == arguments.messages for reader in readers), "messages arrived")
    before, began = snapshot(), time.perf_counter()
    for reader in readers:
        reader.begin(arguments.window, arguments.seconds)
    await asyncio.sleep(arguments.seconds)
    took, marks = time.perf_counter() - began, tally.ok
    for reader in readers:
        reader.end()
    await _all(lambda: not any(reader.unanswered for reader in readers), "marks were answered")
    late = await _last_told(pairs)
    _show(arguments, took, marks, tally, used_between(before, snapshot()))
    _show_told(pairs, took, late)


async def _open(
    arguments: argparse.Namespace, people: list[BenchPerson], tally: _Tally
) -> list[tuple[_Writer, _Reader]]:
    sockets = [await connect(arguments.host, arguments.port, person.token) for person in people]
    return [
        (_Writer(sockets[number], people[number + 1].username), _Reader(sockets[number + 1], tally))
        for number in range(0, len(people), 2)
    ]


async def _last_told(pairs: list[tuple[_Writer, _Reader]]) -> int:
    """Waits until every writer was told the reader's last mark; returns how many were not."""

    def waiting() -> int:
        return sum(not writer.told or writer.told[-1][1] != reader.last for writer, reader in pairs)

    await until(lambda: not waiting(), _SETTLE_S)
    return waiting()


async def _all(is_done: Callable[[], bool], what: str) -> None:
    await until(is_done, _DEADLINE_S)
    if not is_done():
        raise SystemExit(f"after {_DEADLINE_S:.0f} s not all {what}")


def _show(arguments: argparse.Namespace, took: float, marks: int, tally: _Tally, used: dict[str, float]) -> None:
    rate = f"{marks / took:,.0f} marks/s ({marks} in {took:.1f} s)"
    print(f"\n{arguments.people} people, window {arguments.window}: {rate}")
    cuts = statistics.quantiles(tally.answer_s, n=100) if len(tally.answer_s) > 1 else [0.0] * 99
    print(f"  answer   p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms")
    parts = ", ".join(f"{kind} {used[kind] / max(tally.ok, 1) * 1e6:.0f}" for kind in KINDS if used[kind])
    print(f"  CPU {sum(used.values()) / max(tally.ok, 1) * 1e6:.0f} µs a mark: {parts}")
    if tally.refused:
        print(f"  {len(tally.refused)} were refused, the first: {tally.refused[0]}")


def _show_told(pairs: list[tuple[_Writer, _Reader]], took: float, late: int) -> None:
    pushes = sum(len(writer.told) for writer, _ in pairs)
    gaps = sorted(after[0] - before[0] for writer, _ in pairs for before, after in itertools.pairwise(writer.told))
    shortest = f"; between two p50 {gaps[len(gaps) // 2]:.2f} s, least {gaps[0]:.2f} s" if gaps else ""
    print(f"  a writer was told {pushes / len(pairs):.1f} times in {took:.0f} s{shortest}")
    print(f"  {late} writers did not hear of the last mark (0 wanted)")
    if late:
        raise SystemExit(1)
