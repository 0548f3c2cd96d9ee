"""Drafts that are begun again between their final answer and its event: they are written, and told of."""

import asyncio
import json
from typing import Any

import pytest

from klatsch_client.drafts import Change, Draft, Failed, Marking, Outcome, Sent, Unsent
from klatsch_client.frames import Accepted, Rejected
from klatsch_client.inbox import Ended, Inbox
from klatsch_client.positions import Position
from klatsch_client.posting import Posting
from klatsch_client.sends import Sends
from klatsch_client.state import State

_READ_5, _READ_9 = (Marking("one", read=Position(1, offset, 0)) for offset in (5, 9))
_DELIVERED_7 = Marking("one", delivered=Position(1, 7, 0))
_REFUSED = Rejected(1, "not_found", "why", temporary=False, retry_after_s=None)
_HI = Draft("c", "hi", to="bob")
_PIN = Change("c", "pin", "m1", Position(1, 1, 0), "one", on=True)


class _Shell:
    """Joins all that stands between an application and a socket."""

    def __init__(self) -> None:
        self.state = State()
        self.sends = Sends(self.state.unfinished.named)
        self.inbox = Inbox(10, None)
        self.posting = Posting(self.state, self.sends, self.inbox, 10, now=lambda: "", told=lambda _what: None)

    @property
    def unfinished(self) -> list[Unsent]:
        return list(self.state.unfinished)

    def mark(self, marking: Marking) -> None:
        self.posting.mark(marking, lambda: None)

    async def begin(self, draft: Draft | Change) -> "asyncio.Task[Outcome]":
        posting = asyncio.create_task(self.posting.post(draft, str, lambda: None))
        await asyncio.sleep(0)  # it has begun
        return posting

    def write(self, now_s: float = 0.0) -> list[dict[str, Any]]:
        """Returns the bodies of the frames that are written now."""
        return [json.loads(text)["d"] for text in self.sends.take_due(now_s)]

    def answer(self, answer: Accepted | Rejected) -> None:
        ended = self.sends.take_answer(answer, 0.1)
        assert ended is not None
        self.posting.finish(*ended, is_in_place=True)

    async def take(self) -> Outcome:
        """Takes the next event."""
        ended = await self.inbox.take()
        assert isinstance(ended, Ended)
        self.state.finish(ended.number, ended.outcome)
        return ended.outcome


def _ok(frame: int, *, duplicate: bool) -> Accepted:
    return Accepted(frame, "m5", Position(1, 5, 0), duplicate)


@pytest.mark.parametrize(
    ("again", "written"),
    [
        (_READ_9, {"conversation": "one", "read": "1:0:9"}),
        (_READ_5, {"conversation": "one", "read": "1:0:5"}),
        (_DELIVERED_7, {"conversation": "one", "delivered": "1:0:7"}),  # without what was refused
    ],
)
async def test_a_mark_made_between_a_refusal_and_its_event_is_written(again: Marking, written: dict[str, Any]) -> None:
    shell = _Shell()
    shell.mark(_READ_5)
    shell.write()
    shell.answer(_REFUSED)
    shell.mark(again)
    assert await shell.take() == Failed(_READ_5, "not_found", "why")
    assert shell.write(5.0) == [written]
    assert shell.unfinished == [again]


@pytest.mark.parametrize("draft", [_HI, _PIN], ids=["send", "change"])
@pytest.mark.parametrize("answer", [_ok(1, duplicate=False), _REFUSED], ids=["done", "refused"])
async def test_what_is_posted_again_between_its_outcome_and_the_event_is_written_again(
    draft: Draft | Change, answer: Accepted | Rejected
) -> None:
    shell = _Shell()
    first = await shell.begin(draft)
    [body] = shell.write()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    shell.answer(answer)
    again = await shell.begin(draft)
    assert isinstance(await shell.take(), Failed) == (answer is _REFUSED)
    assert shell.unfinished == [draft]
    assert shell.write() == [body]
    shell.answer(_ok(2, duplicate=True))
    outcome = await again
    assert not isinstance(outcome, Failed)
    if isinstance(outcome, Sent):
        assert shell.unfinished == []
        assert outcome.id in shell.state.known.ids


async def test_two_sends_of_one_name_may_not_wait_for_an_answer() -> None:
    shell = _Shell()
    first = await shell.begin(_HI)
    again = await shell.begin(_HI)
    with pytest.raises(ValueError, match="no answer yet"):
        await again
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    other = await shell.begin(Draft("c", "something else", to="bob"))
    with pytest.raises(ValueError, match="no answer yet"):
        await other
