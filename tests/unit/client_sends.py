"""Helpers of the tests of `Sends`: the frames that it writes, and the answers of the server to them."""

import json

from klatsch_client.drafts import Outcome
from klatsch_client.frames import Accepted, Rejected
from klatsch_client.positions import Position
from klatsch_client.sends import Sends


def longest(_low: float, high: float) -> float:
    return high


def due(sends: Sends, now_s: float = 0) -> list[tuple[int, str]]:
    """Returns the frame ids and client_ids of what is written now."""
    frames = [json.loads(text) for text in sends.take_due(now_s)]
    return [(frame["id"], frame["d"]["client_id"]) for frame in frames]


def ok(frame: int) -> Accepted:
    return Accepted(frame, f"m{frame}", Position(1, frame, 0), duplicate=False)


def outcome_of(ended: tuple[int, Outcome] | None) -> Outcome:
    assert ended is not None
    return ended[1]


def err(frame: int, code: str, *, temporary: bool, after_s: float | None = None) -> Rejected:
    return Rejected(frame, code, "why", temporary, after_s)
