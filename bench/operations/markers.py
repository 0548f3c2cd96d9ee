"""Marks a second of people who read on, CPU by process, and how seldom the writers are told.

Each person has read a conversation of some messages a little further with each mark; a client marks far less often. The
person's marks are answered at once and appended once a second, so that the writer of the messages gets few pushes.
"""

import argparse
import itertools
import json
import time
from collections.abc import Callable
from typing import Final

from bench.client import Socket, connect_all, fresh_name, request
from bench.crew import until
from bench.operations.speaking import Operation, Speaker, speak, wait_answered
from bench.options import add_scenario, add_seconds, add_window, asynchronous
from bench.people import make_people
from bench.percentiles import at, latency_of
from bench.report import Fact, Report, Result

_DEADLINE_S: Final = 60.0
_SETTLE_S: Final = 10.0
"""The time for the last marker to be told: it is appended up to a second after its mark."""


def add_markers(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_scenario(
        scenarios, "markers", "marks a second, and how seldom others are told", __doc__ or "", asynchronous(run)
    )
    parser.add_argument("--people", type=int, default=50, help="people who read (default: %(default)s)")
    parser.add_argument("--messages", type=int, default=200, help="that each has to read (default: %(default)s)")
    add_window(parser, 8, "marks")
    add_seconds(parser, 10, "in which they read")


class _Writer(Speaker):
    """Writes the messages, and notes when it was told how far they were read."""

    def __init__(self, socket: Socket, reader: str, messages: int) -> None:
        super().__init__(socket)
        self._reader = reader
        self._messages = messages
        self.told: list[tuple[float, str]] = []
        """When, and the position up to which the reader had read."""
        self.compose, self.on_push = self._write, self._hear

    def _write(self, number: int) -> Operation:
        if self.tally.ok["send"] + self.unanswered + 1 >= self._messages:
            self.end()
        body = {"to": self._reader, "client_id": fresh_name(number), "content": "hi"}
        return "send", request(number, "send", body)

    def _hear(self, payload: bytes) -> None:
        if payload.startswith(b'{"t":"marker"'):
            read = json.loads(payload)["d"]["read"]
            if read is not None:
                self.told.append((time.perf_counter(), read))


class _Reader(Speaker):
    """Marks the messages as read, one after the other over the time of the run."""

    def __init__(self, socket: Socket, seconds: float) -> None:
        super().__init__(socket)
        self._seconds, self._began = seconds, 0.0
        self._conversation = ""
        self.positions: list[str] = []
        self.last = ""
        self.is_at_end = False
        self.compose, self.on_push = self._mark, self._hear

    def _mark(self, number: int) -> Operation:
        self._began = self._began or time.perf_counter()
        reached = min((time.perf_counter() - self._began) / self._seconds, 1.0)
        place = len(self.positions) if self.is_at_end else int(reached * len(self.positions))
        self.last = self.positions[min(place, len(self.positions) - 1)]
        return "mark", request(number, "mark", {"conversation": self._conversation, "read": self.last})

    def _hear(self, payload: bytes) -> None:
        if payload.startswith(b'{"t":"message"'):
            push = json.loads(payload)
            self._conversation = push["d"]["conversation"]
            self.positions.append(push["pos"])


async def run(arguments: argparse.Namespace, report: Report) -> None:
    """Ends with status 1 if a writer was not told of the last mark."""
    report.begin()
    pairs = await _open(arguments)
    readers = [reader for _, reader in pairs]
    for writer, _ in pairs:
        writer.begin(min(arguments.window, arguments.messages))
    await _all(lambda: all(len(reader.positions) >= arguments.messages for reader in readers), "messages arrived")
    spoken = await speak(readers, arguments.window, arguments.seconds)
    for reader in readers:
        reader.is_at_end = True
        reader.say()
    await wait_answered(readers)
    late = await _last_told(pairs)
    report.add(
        Result(
            f"{arguments.people} people, window {arguments.window}",
            "mark",
            spoken.tally.ok["mark"],
            spoken.seconds,
            latencies={"answer": latency_of(spoken.tally.answer_s["mark"])},
            used=spoken.used,
            facts=_told(pairs) | {"writers who did not hear of the last mark (0 wanted)": late},
            refused=spoken.tally.refused,
        )
    )
    if late:
        raise SystemExit(1)


async def _open(arguments: argparse.Namespace) -> list[tuple[_Writer, _Reader]]:
    people = make_people(arguments.people * 2)
    sockets = await connect_all([(arguments.host, arguments.port)], [person.token for person in people])
    return [
        (
            _Writer(sockets[number], people[number + 1].username, arguments.messages),
            _Reader(sockets[number + 1], arguments.seconds),
        )
        for number in range(0, len(people), 2)
    ]


async def _last_told(pairs: list[tuple[_Writer, _Reader]]) -> int:
    """Waits until every writer was told the reader's last mark; returns how many were not."""

    def waiting() -> int:
        return sum(not writer.told or writer.told[-1][1] != reader.last for writer, reader in pairs)

    await until(lambda: not waiting(), _SETTLE_S)
    return waiting()


async def _all(is_done: Callable[[], bool], what: str) -> None:
    if not await until(is_done, _DEADLINE_S):
        raise SystemExit(f"after {_DEADLINE_S:.0f} s not all {what}")


def _told(pairs: list[tuple[_Writer, _Reader]]) -> dict[str, Fact]:
    pushes = sum(len(writer.told) for writer, _ in pairs)
    gaps = sorted(after[0] - before[0] for writer, _ in pairs for before, after in itertools.pairwise(writer.told))
    facts: dict[str, Fact] = {"times that a writer was told": round(pushes / len(pairs), 1)}
    if gaps:
        facts |= {"seconds between two, p50": round(at(gaps, 50), 2), "seconds between two, least": round(gaps[0], 2)}
    return facts
