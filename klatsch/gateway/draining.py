"""The end of a gateway: connections are sent elsewhere one after the other, and what they had begun is answered."""

import asyncio
import random
import time
from typing import Final

from klatsch.gateway.hub import Hub, Person
from klatsch.gateway.language.protocol import Close
from klatsch.gateway.marks import Marks
from klatsch.gateway.opening import Opening
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.turns import slices

PER_SECOND: Final = 1_000
"""Connections that are told to go in a second: about what another gateway signs in."""
_LOOK_S: Final = 0.02


async def drain(opening: Opening, hub: Hub, marks: Marks, within_s: float) -> None:
    """Nobody new; then a last mark and 4301 for everybody, in random order and spread over as long as another gateway
    takes to sign them in, each when its sends are answered. All are told by the end of `within_s`.
    """
    opening.shut()
    until_s = time.monotonic() + within_s
    waiting = list(hub.connections())
    random.shuffle(waiting)
    pause_s = min(1 / PER_SECOND, within_s * 0.8 / (len(waiting) or 1))
    for person, outbox in waiting:
        if not outbox.unanswered:
            _send_away(marks, person, outbox)
        await asyncio.sleep(2 * pause_s * random.random())  # noqa: S311 - jitter, no secret
    while left := list(hub.connections()):
        is_over = time.monotonic() >= until_s
        async for part in slices(left):
            for person, outbox in part:
                if is_over or not outbox.unanswered:
                    _send_away(marks, person, outbox)
        if is_over:
            return
        await asyncio.sleep(_LOOK_S)


def _send_away(marks: Marks, person: Person, outbox: Outbox) -> None:
    marks.answer_last(person, outbox)
    outbox.close(Close.DRAINING, "draining, resume")
