"""Drains a gateway: answers pending sends, and moves connections to other gateways one after the other."""

import asyncio
import random
import time
from typing import Final

from klatsch.gateway.hub import ConnectedPerson, Hub
from klatsch.gateway.language.protocol import Close
from klatsch.gateway.opening import Opening
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.resume_marks import ResumeMarks
from klatsch.gateway.turns import slices

PER_SECOND: Final = 1_000
"""The connections that are closed per second: about as many as another gateway signs in."""
_LOOK_S: Final = 0.02


async def drain(opening: Opening, hub: Hub, resume_marks: ResumeMarks, within_s: float) -> None:
    """Refuses new connections, and closes each one with a last resume mark and 4301 once its sends are answered.

    The closes come in random order, spread over the time that another gateway needs to sign the clients in. All are
    closed at the end of `within_s`.
    """
    opening.shut()
    until_s = time.monotonic() + within_s
    waiting = list(hub.connections())
    random.shuffle(waiting)
    pause_s = min(1 / PER_SECOND, within_s * 0.8 / (len(waiting) or 1))
    for person, outbox in waiting:
        if not outbox.unanswered:
            _send_away(resume_marks, person, outbox)
        await asyncio.sleep(2 * pause_s * random.random())  # noqa: S311 - jitter, no secret
    while left := list(hub.connections()):
        is_over = time.monotonic() >= until_s
        async for part in slices(left):
            for person, outbox in part:
                if is_over or not outbox.unanswered:
                    _send_away(resume_marks, person, outbox)
        if is_over:
            return
        await asyncio.sleep(_LOOK_S)


def _send_away(resume_marks: ResumeMarks, person: ConnectedPerson, outbox: Outbox) -> None:
    resume_marks.answer_last(person, outbox)
    outbox.close(Close.DRAINING, "draining, resume")
