"""A view of Ana's, and the events that the tests apply to it."""

from dataclasses import replace
from typing import Any

import pytest

from klatsch_client import Change, Draft, Edited, Marking, Message, Reacted, View
from klatsch_client.positions import Position

MOMENT = "2026-11-24T00:00:00.000Z"


def at(offset: int) -> Position:
    return Position(1, offset, 0)


def said(offset: int, **more: Any) -> Message:
    message = Message(f"m{offset}", "c", "one", "bob", "ana", "as written", MOMENT, at(offset), at(offset))
    return replace(message, **more)


def edited(offset: int, content: str, message: str = "m1") -> Edited:
    return Edited(message, "one", at(offset), content, (), MOMENT, "bob")


def reacted(offset: int, user: str, *, on: bool = True, message: str = "m1") -> Reacted:
    return Reacted(message, "one", at(offset), "👍", on, user)


class Shown:
    """A view of ana's, with what she has not got an answer to."""

    def __init__(self, **options: Any) -> None:
        self.now_s = 0.0
        self.drafts: list[Draft | Change | Marking] = []
        self.changes: list[str | None] = []
        self.view = View(on_change=self.changes.append, **options)
        self.view.bind(lambda: self.now_s, user=lambda: "ana", now=lambda: MOMENT, drafts=self.drafts)

    def message(self, message_id: str = "m1") -> Message:
        message = self.view.message(message_id)
        assert message is not None
        return message


@pytest.fixture
def shown() -> Shown:
    shown = Shown()
    shown.view.apply(said(1))
    return shown
