"""PostgreSQL restarted and killed while people talk: they do not notice, and the archive catches up."""

import asyncio
import time
from collections.abc import Callable

import pytest

from klatsch.embedded.postgres import EmbeddedPostgres
from tests.e2e.talk import Open, OpenRest, more_acknowledged, start_talk, talking
from tests.support.process import GatewayProcess, PersisterProcess, wait_until
from tests.support.system import System

_DOWN: dict[str, Callable[[EmbeddedPostgres], None]] = {
    "stopped": EmbeddedPostgres.stop,
    "killed": EmbeddedPostgres.kill,
}
_RECOVERED_S = 15
"""Until REST answers again: a pool's connections of before are found broken one by one, by those who get them."""
_MANY = 64
_MANY_REFUSED_S = 5.0
"""Four for each thread, of which none may wait for the pool's 5 s; on a busy machine."""


@pytest.mark.parametrize("how", _DOWN)
async def test_while_it_is_down_sends_go_on_and_sockets_stay_open_and_then_all_is_archived(
    system: System,
    own_postgres: EmbeddedPostgres,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    connect: Open,
    connect_silent: Open,
    rest: OpenRest,
    how: str,
) -> None:
    talks = [await start_talk(system, (gateway_a, gateway_b), connect, rest) for _ in range(3)]
    ana, bob = talks[0].people
    async with talking(talks):
        await more_acknowledged(talks, 5)
        await asyncio.to_thread(_DOWN[how], own_postgres)
        assert not own_postgres.ready()
        await more_acknowledged(talks, 20)
        refused, stranger = await asyncio.gather(
            rest(gateway_a, ana).http.get(f"users/{bob.username}/messages"), connect_silent(gateway_b, ana)
        )
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        http = rest(gateway_a, ana).http  # one: 64 clients take seconds to make
        began = time.monotonic()
        answers = await asyncio.gather(*(http.get("me") for _ in range(_MANY)))
        assert {answer.status_code for answer in answers} == {503}
        assert time.monotonic() - began < _MANY_REFUSED_S
        assert await stranger.until_closed() == 4304
        await asyncio.to_thread(own_postgres.start)
        await asyncio.to_thread(own_postgres.wait_ready)
        await more_acknowledged(talks, 5)
    for gateway in (gateway_a, gateway_b):
        await rest(gateway, ana).until_answered("me", _RECOVERED_S)
    for talk in talks:
        rows = await talk.check()
        assert len(rows) > 30
        # Not one send was refused for now, or left without an answer.
        assert all(attempt.ok for attempt in talk.writer.history.attempts)
        assert talk.reader.closed is None
    await asyncio.to_thread(wait_until, gateway_a.is_ready, "the gateway is ready again")
    again = await connect(gateway_b, bob)
    await talks[0].say("welcome back")
    await again.received("welcome back")
