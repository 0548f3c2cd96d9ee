"""A process that holds many of the clients and runs the scenario's commands."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.crew import some_at_a_time, until
from bench.people import BenchPerson
from bench.storm.client import Client
from bench.storm.record import Record

_BEAT_S = 0.02

Pair = tuple[BenchPerson, BenchPerson]


@dataclass(frozen=True, slots=True)
class Plan:
    """The pairs of one worker, idle ones first. `running` is the gateway at which they first meet."""

    pairs: Sequence[Pair]
    idle_pairs: int
    running: tuple[str, int]
    gateways: Sequence[tuple[str, int]]
    jitter_s: float


class Worker:
    """The commands that a scenario can call by name."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._clients = [
            Client(
                me,
                other,
                list(plan.gateways),
                idle=number < plan.idle_pairs,
                advances=number % 2 == 1,
                jitter_s=plan.jitter_s,
            )
            for number, (one, two) in enumerate(plan.pairs)
            for me, other in ((one, two), (two, one))
        ]
        self._talking = itertools.cycle([client for client in self._clients if not client.record.idle])

    async def meet(self) -> None:
        """Sends each pair's first message, which creates its conversation, before any gateway is measured."""

        async def greet(pair: Pair) -> None:
            client = Client(*pair, [self._plan.running], jitter_s=self._plan.jitter_s)
            await client.open()
            client.say()
            await until(lambda: not client.unanswered)
            client.leave()

        await some_at_a_time([lambda pair=pair: greet(pair) for pair in self._plan.pairs])  # type: ignore[misc]  # mypy cannot infer the default's type

    async def open(self) -> None:
        """Returns when every client is connected and has a mark."""
        await some_at_a_time([client.open for client in self._clients])

    async def talk(self, rate: float, seconds: float) -> int:
        """Sends messages at a rate, by the clients that are not idle in turn; returns their number."""
        began, said = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            while said < passed * rate:
                next(self._talking).say()
                said += 1
            await asyncio.sleep(_BEAT_S)
        return said

    async def burst(self) -> None:
        """Sends a message of each client that is not idle; returns when a tenth is answered: others are half-way."""
        speakers = [client for client in self._clients if not client.record.idle]
        for client in speakers:
            client.say()
        await until(lambda: sum(bool(client.unanswered) for client in speakers) <= 0.9 * len(speakers))

    async def come_back(self, deadline_s: float) -> None:
        """Returns when all clients of the lost gateway are resumed, or at the deadline."""
        await until(lambda: all(c.record.lost_at is not None and c.is_ready for c in self._clients), deadline_s)

    async def say_each(self) -> None:
        """Sends a message of every client, idle or not."""
        for client in self._clients:
            client.say()

    async def be_answered(self, deadline_s: float) -> None:
        """Returns when no send waits for its answer."""
        await until(lambda: not any(client.unanswered for client in self._clients), deadline_s)

    async def count_shown(self) -> int:
        """Returns the number of messages of others that clients were shown, each once."""
        return sum(
            len({shown.id for stream in client.record.streams for shown in stream.shown} - own)
            for client in self._clients
            for own in [set(client.record.acknowledged.values())]
        )

    async def report(self) -> list[Record]:
        return [client.record for client in self._clients]
