"""Many conversations, some of them hot: people send, edit, react and mark in a closed loop, as a busy company does.

Half of the sends go to the hot groups that a person is in; the others go to each person's direct conversation.
"""

import argparse
import asyncio
import json
import random
from typing import Any, Final

from bench.archive import count_archived, wait_archived
from bench.client import Socket, connect_all, fresh_name, request
from bench.operations.speaking import Operation, Speaker, speak
from bench.options import add_scenario, add_seconds, add_warm_up, add_window, asynchronous
from bench.people import BenchPerson, make_group, make_people
from bench.percentiles import latency_of
from bench.report import Report, Result
from bench.settling import warm_up

_SHARES: Final = {"send": 75, "edit": 5, "react": 12, "mark": 8}
_HOT_SHARE: Final = 0.5
_SEED: Final = 15


def add_mixed(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_scenario(
        scenarios, "mixed", "sends, edits, reactions and markers in many conversations", __doc__ or "",
        asynchronous(run),
    )  # fmt: skip
    parser.add_argument("--people", type=int, default=200, help="connected people (default: %(default)s)")
    parser.add_argument("--hot", type=int, default=4, help="groups in which much is said (default: %(default)s)")
    parser.add_argument("--members", type=int, default=50, help="members of a hot group (default: %(default)s)")
    add_window(parser, 2, "operations")
    add_seconds(parser, 20)
    add_warm_up(parser)


class _Colleague(Speaker):
    """A person who knows the last own message and the last message of somebody else in a conversation."""

    def __init__(self, socket: Socket, peer: str, groups: list[str], dice: random.Random) -> None:
        super().__init__(socket)
        self._peer, self._groups, self._dice = peer, groups, dice
        self._own: dict[str, Any] = {}
        self._seen: dict[str, Any] = {}
        self._marked: dict[str, Any] = {}
        self._sent: set[int] = set()
        self.delivered = 0
        self.compose, self.on_ok, self.on_push = self._act, self._answered, self._hear

    def _act(self, number: int) -> Operation:
        op = self._dice.choices(list(_SHARES), list(_SHARES.values()))[0]
        name = {"client_id": fresh_name(number)}
        if op == "edit" and self._own:
            return op, request(number, op, self._own | name | {"content": f"text {number}"})
        if op == "react" and self._seen:
            return op, request(number, op, self._seen | name | {"emoji": "👍", "on": self._dice.random() < 0.5})
        if op == "mark" and self._marked:
            return op, request(number, op, self._marked)
        is_hot = self._groups and self._dice.random() < _HOT_SHARE
        where = {"conversation": self._dice.choice(self._groups)} if is_hot else {"to": self._peer}
        self._sent.add(number)
        return "send", request(number, "send", where | name | {"content": "x" * 100})

    def _answered(self, number: int, ok: dict[str, Any]) -> None:
        if number in self._sent:
            self._sent.discard(number)
            self._own = {"message": ok["id"], "position": ok["position"]}

    def _hear(self, payload: bytes) -> None:
        if payload.startswith(b'{"t":"message",'):
            self.delivered += 1
            if self.delivered % 8 == 1:  # decoding each would cost more than the server does
                push = json.loads(payload)
                self._seen = {"message": push["d"]["id"], "position": push["pos"]}
                self._marked = {"conversation": push["d"]["conversation"], "read": push["pos"]}


async def run(arguments: argparse.Namespace, report: Report) -> None:
    report.begin()
    people = make_people(arguments.people)
    colleagues = await _open(arguments, people)
    sent = 0

    async def rate(seconds: float) -> float:
        nonlocal sent
        spoken = await speak(colleagues, arguments.window, seconds)
        sent += spoken.tally.ok["send"]
        return spoken.tally.ok.total() / spoken.seconds

    usernames = [person.username for person in people]
    warmed = await warm_up(rate, arguments.warm_up)
    await asyncio.to_thread(wait_archived, usernames, sent)
    before, delivered = count_archived(usernames), sum(one.delivered for one in colleagues)
    spoken = await speak(colleagues, arguments.window, arguments.seconds)
    sends = spoken.tally.ok["send"]
    await asyncio.to_thread(wait_archived, usernames, before + sends)
    archived = count_archived(usernames) - before
    report.add(
        Result(
            f"{len(people)} people, {arguments.hot} hot groups of {arguments.members}, window {arguments.window}",
            "message",
            min(sends, archived),
            spoken.seconds,
            dict(spoken.tally.ok)
            | {"archived": archived, "delivered": sum(one.delivered for one in colleagues) - delivered},
            {op: latency_of(times) for op, times in sorted(spoken.tally.answer_s.items())},
            spoken.used,
            {"warm-up": warmed, "CPU": "of all operations and deliveries, for each message"},
            spoken.tally.refused,
        )
    )


async def _open(arguments: argparse.Namespace, people: list[BenchPerson]) -> list[_Colleague]:
    dice = random.Random(_SEED)
    groups: dict[str, list[str]] = {person.username: [] for person in people}
    for _ in range(arguments.hot):
        members = dice.sample(people, min(arguments.members, len(people)))
        group = make_group(members)
        for member in members:
            groups[member.username].append(group)
    sockets = await connect_all([(arguments.host, arguments.port)], [person.token for person in people])
    return [
        _Colleague(socket, people[number ^ 1].username, groups[person.username], dice)
        for number, (socket, person) in enumerate(zip(sockets, people, strict=True))
    ]
