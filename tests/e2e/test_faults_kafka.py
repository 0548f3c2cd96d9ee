"""Kafka restarted and killed while people talk: what was acknowledged is there, and what was not is said again."""

import asyncio
import time
from collections.abc import Callable

import pytest

from klatsch.embedded.kafka import EmbeddedKafka
from tests.e2e.talk import Open, OpenRest, Talk, more_acknowledged, start_talk, talking
from tests.support.process import GatewayProcess, PersisterProcess, Process
from tests.support.system import System

_DOWN: dict[str, Callable[[EmbeddedKafka], None]] = {"stopped": EmbeddedKafka.stop, "killed": EmbeddedKafka.kill}
_FIRST_ANSWER_S = 12


@pytest.mark.parametrize("how", _DOWN)
async def test_no_acknowledged_message_is_lost_and_what_was_unknown_is_shown_once(
    system: System,
    own_kafka: EmbeddedKafka,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    connect: Open,
    rest: OpenRest,
    how: str,
) -> None:
    # Gives up before the broker is back, so that clients have something to say again.
    hasty = system.new_gateway("hasty")
    await asyncio.to_thread(hasty.start, KLATSCH_ANSWER_DEADLINE_MS="500")
    talks = [await start_talk(system, (hasty, gateway_b), connect, rest) for _ in range(3)]
    processes = (hasty, gateway_b, persister)
    async with talking(talks):
        await more_acknowledged(talks, 5)
        complained = [_complaints(process) for process in processes]
        down_s = time.monotonic()
        await asyncio.to_thread(_DOWN[how], own_kafka)
        await talks[0].writer.until(lambda: _unknown(talks[0]), "a send without an answer")
        await asyncio.to_thread(own_kafka.start)
        await asyncio.to_thread(own_kafka.wait_ready)
        await more_acknowledged(talks, 1, deadline_s=_FIRST_ANSWER_S)
        down_s = time.monotonic() - down_s
        await more_acknowledged(talks, 10)
    for process, before in zip(processes, complained, strict=True):
        # An outage is said, and does not fill the disk.
        assert 0 < _complaints(process) - before < 20 + 5 * down_s
    for talk in talks:
        await talk.check()
        assert talk.writer.closed is None
        assert talk.reader.closed is None


def _complaints(process: Process) -> int:
    return len(process.events("log_reader")) + len(process.events("log_writer"))


def _unknown(talk: Talk) -> bool:
    return any(attempt.code == "unknown" for attempt in talk.writer.history.attempts)
