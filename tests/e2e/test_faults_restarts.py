"""A broker that is killed again and again: every gateway and the persister read on, each by itself."""

import asyncio

import pytest

from klatsch.embedded.kafka import EmbeddedKafka
from tests.e2e.talk import Open, OpenRest, more_acknowledged, start_talk, talking
from tests.support.process import GatewayProcess, PersisterProcess
from tests.support.system import System

_READ_ON_S = 15.0
"""The time that is promised, from when the broker is back."""


@pytest.mark.timeout(240)
async def test_all_read_on_within_15_s_however_often_and_how_soon_the_broker_is_killed_again(
    system: System,
    own_kafka: EmbeddedKafka,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    connect: Open,
    rest: OpenRest,
) -> None:
    ways = [(gateway_a, gateway_b), (gateway_b, gateway_a)]
    talks = [await start_talk(system, way, connect, rest) for way in ways for _ in range(4)]
    async with talking(talks):
        await more_acknowledged(talks, 3)
        for served_s in ((), (2.0,)):
            for seconds in served_s:
                await _kill_and_start(own_kafka)
                await asyncio.sleep(seconds)  # how long it serves until it is killed once more
            await _kill_and_start(own_kafka)
            back = [len(talk.reader.history.messages) for talk in talks]
            await more_acknowledged(talks, 2, _READ_ON_S)
            for talk, count in zip(talks, back, strict=True):
                await talk.reader.until(lambda t=talk, n=count: len(t.reader.history.messages) > n, "reads on")  # type: ignore[misc]  # bound as defaults
            await asyncio.to_thread(system.wait_archived, _READ_ON_S)
    for talk in talks:
        await talk.check()
        assert talk.writer.closed is None
        assert talk.reader.closed is None


async def _kill_and_start(kafka: EmbeddedKafka) -> None:
    await asyncio.to_thread(kafka.kill)
    await asyncio.to_thread(kafka.start)
    await asyncio.to_thread(kafka.wait_ready)
