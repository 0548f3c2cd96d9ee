"""The end of a gateway: connections are sent elsewhere one after the other, and what they had begun is answered."""

import asyncio
import random
import time
from typing import Final

from klatsch.gateway.arrivals import Gateway
from klatsch.gateway.hub import Person
from klatsch.gateway.language import protocol
from klatsch.gateway.language.protocol import Close
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.turns import slices

PER_SECOND: Final = 1_000
"""Connections that are told to go in a second: about what another gateway signs in."""
_LOOK_S: Final = 0.02


async def drain(gateway: Gateway, within_s: float) -> None:
    """Nobody new; then a last mark and 4301 for everybody, in random order and spread over as long as another gateway
    takes to sign them in, each when its sends are answered. All are told by the end of `within_s`.
    """
    gateway.shut()
    until_s = time.monotonic() + within_s
    waiting = list(gateway.hub.connections())
    random.shuffle(waiting)
    pause_s = min(1 / PER_SECOND, within_s * 0.8 / (len(waiting) or 1))
    for person, outbox in waiting:
        if not outbox.unanswered:
            _send_away(gateway, person, outbox)
        await asyncio.sleep(2 * pause_s * random.random())  # noqa: S311 - jitter, no secret
    while left := list(gateway.hub.connections()):
        is_over = time.monotonic() >= until_s
        async for part in slices(left):
            for person, outbox in part:
                if is_over or not outbox.unanswered:
                    _send_away(gateway, person, outbox)
        if is_over:
            return
        await asyncio.sleep(_LOOK_S)


def _send_away(gateway: Gateway, person: Person, outbox: Outbox) -> None:
    if not outbox.deaf and not outbox.closed:  # who is still in a replay has nothing to count from yet
        outbox.answer(protocol.push_mark(gateway.tokens.now(person.user_id)))
    outbox.close(Close.DRAINING, "draining, resume")
