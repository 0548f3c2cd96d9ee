"""Reactions and edits a second: people change a message each, in a closed loop, until time is up."""

import argparse
from typing import Any, Final

from bench.client import Socket, connect_all, fresh_name, request
from bench.operations.speaking import Operation, Speaker, speak, wait_answered
from bench.options import add_scenario, add_seconds, add_warm_up, add_window, asynchronous
from bench.people import make_people
from bench.percentiles import latency_of
from bench.report import Report, Result
from bench.settling import warm_up

_OPS: Final = ("react", "edit")


def add_changes(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_scenario(scenarios, "changes", "reactions and edits a second", __doc__ or "", asynchronous(run))
    parser.add_argument("--people", type=int, default=50, help="people, each with a message (default: %(default)s)")
    add_window(parser, 8, "changes")
    add_seconds(parser, 10, "of each kind")
    add_warm_up(parser)


class _Changer(Speaker):
    """A person, and the message that the person changes again and again."""

    def __init__(self, socket: Socket, peer: str) -> None:
        super().__init__(socket)
        self._peer = peer
        self._target: dict[str, Any] = {}
        self.op = "send"
        self.compose, self.on_ok = self._change, self._find

    def _change(self, number: int) -> Operation:
        name = {"client_id": fresh_name(number)}
        if self.op == "send":
            return "send", request(number, "send", {"to": self._peer, "content": "hi"} | name)
        body = {"emoji": "👍", "on": bool(number % 2)} if self.op == "react" else {"content": f"text {number}"}
        return self.op, request(number, self.op, self._target | name | body)

    def _find(self, _number: int, ok: dict[str, Any]) -> None:
        if not self._target:
            self._target = {"message": ok["id"], "position": ok["position"]}


async def run(arguments: argparse.Namespace, report: Report) -> None:
    report.begin()
    people = make_people(arguments.people * 2)
    sockets = await connect_all([(arguments.host, arguments.port)], [person.token for person in people[::2]])
    changers = [_Changer(socket, peer.username) for socket, peer in zip(sockets, people[1::2], strict=True)]
    for changer in changers:
        changer.say()
    await wait_answered(changers)

    async def rate(seconds: float) -> float:
        spoken = await speak(changers, arguments.window, seconds)
        return spoken.tally.ok.total() / spoken.seconds

    for op in _OPS:
        for changer in changers:
            changer.op = op
        warmed = await warm_up(rate, arguments.warm_up)
        spoken = await speak(changers, arguments.window, arguments.seconds)
        report.add(
            Result(
                f"{len(changers)} people, window {arguments.window}, {op}",
                op,
                spoken.tally.ok[op],
                spoken.seconds,
                latencies={"answer": latency_of(spoken.tally.answer_s[op])},
                used=spoken.used,
                facts={"warm-up": warmed},
                refused=spoken.tally.refused,
            )
        )
