"""The changes scenario: people edit and react to a message each, in a closed loop, until time is up."""

import argparse
import asyncio
import json
import statistics
import time
from dataclasses import dataclass, field
from typing import Any, Final

import uvloop

from bench.archive import durability
from bench.client import Socket, connect, fresh_name, request
from bench.cpu import KINDS, snapshot, used_between
from bench.machine import describe_machine
from bench.people import make_people

_DRAIN_S: Final = 30
_OPS: Final = ("react", "edit")


def add_changes(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    parser = scenarios.add_parser("changes", help="reactions and edits a second")
    parser.add_argument("--people", type=int, default=50, help="people, each with a message (default: %(default)s)")
    parser.add_argument("--window", type=int, default=8, help="unanswered changes of each (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="how long each kind runs (default: %(default)s)")
    parser.set_defaults(run=lambda arguments: uvloop.run(_run(arguments)))
    return parser


@dataclass(slots=True)
class _Tally:
    ok: int = 0
    errors: list[str] = field(default_factory=list)
    answer_s: list[float] = field(default_factory=list)


class _Changer:
    """A person's connection, and the message that the person changes again and again."""

    def __init__(self, socket: Socket, tally: _Tally) -> None:
        self.socket, self.tally = socket, tally
        self.target: dict[str, Any] = {}
        self.running = False
        self.unanswered = 0
        self._number = 0
        self._sent_at: dict[int, float] = {}
        self._op = ""
        socket.on_text = self._on_text

    def begin(self, op: str, window: int) -> None:
        self._op, self.running = op, True
        for _ in range(window):
            self._change()

    def say(self, to: str) -> None:
        self._number += 1
        self.unanswered += 1
        self.socket.send(
            request(self._number, "send", {"to": to, "client_id": fresh_name(self._number), "content": "hi"})
        )

    def _change(self) -> None:
        self._number = number = self._number + 1
        self._sent_at[number] = time.perf_counter()
        self.unanswered += 1
        body = {"emoji": "👍", "on": bool(number % 2)} if self._op == "react" else {"content": f"text {number}"}
        self.socket.send(request(number, self._op, self.target | {"client_id": fresh_name(number)} | body))

    def _on_text(self, payload: bytes) -> None:
        if not payload.startswith(b'{"re":'):
            return
        self.unanswered -= 1
        answer = json.loads(payload)
        if "err" in answer:
            self.tally.errors.append(payload.decode())
        elif not self.target:
            self.target = {"message": answer["ok"]["id"], "position": answer["ok"]["position"]}
        else:
            self.tally.ok += 1
            self.tally.answer_s.append(time.perf_counter() - self._sent_at.pop(answer["re"]))
        if self.running:
            self._change()


async def _run(arguments: argparse.Namespace) -> None:
    print(f"machine: {describe_machine()}\nservers: {durability()}, acks=all")
    people = make_people(arguments.people * 2)
    sockets = [await connect(arguments.host, arguments.port, person.token) for person in people[::2]]
    changers = [_Changer(socket, _Tally()) for socket in sockets]
    for changer, peer in zip(changers, people[1::2], strict=True):
        changer.say(peer.username)
    await _drain(changers)
    await _round(changers, "react", arguments.window, arguments.seconds / 2, shown=False)  # warms caches and compilers
    for op in _OPS:
        await _round(changers, op, arguments.window, arguments.seconds, shown=True)


async def _round(changers: list[_Changer], op: str, window: int, seconds: float, *, shown: bool) -> None:
    tally = _Tally()
    for changer in changers:
        changer.tally = tally
    before, began = snapshot(), time.perf_counter()
    for changer in changers:
        changer.begin(op, window)
    await asyncio.sleep(seconds)
    for changer in changers:
        changer.running = False
    took = time.perf_counter() - began
    await _drain(changers)
    if shown:
        _show(op, len(changers), window, took, tally, used_between(before, snapshot()))


async def _drain(changers: list[_Changer]) -> None:
    deadline = time.perf_counter() + _DRAIN_S
    while any(changer.unanswered for changer in changers):
        if time.perf_counter() > deadline:
            raise SystemExit(f"after {_DRAIN_S} s {sum(c.unanswered for c in changers)} frames are not answered")
        await asyncio.sleep(0.01)


def _show(op: str, people: int, window: int, took: float, tally: _Tally, used: dict[str, float]) -> None:
    print(f"\n{people} people, window {window}: {tally.ok / took:,.0f} {op}/s ({tally.ok} in {took:.1f} s)")
    cuts = statistics.quantiles(tally.answer_s, n=100) if len(tally.answer_s) > 1 else [0.0] * 99
    print(f"  answer   p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms")
    parts = ", ".join(f"{kind} {used[kind] / max(tally.ok, 1) * 1e6:.0f}" for kind in KINDS if used[kind])
    print(f"  CPU {sum(used.values()) / max(tally.ok, 1) * 1e6:.0f} µs a change: {parts}")
    if tally.errors:
        print(f"  {len(tally.errors)} were refused, the first: {tally.errors[0]}")
