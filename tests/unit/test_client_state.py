"""The client's state against a model of the server: cut, crashed, resumed, reset, reloaded, ahead of a gateway."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from klatsch_client.drafts import Draft
from klatsch_client.errors import Stopped
from klatsch_client.events import Changed, Reset
from klatsch_client.frames import Push, ResumeMark
from klatsch_client.messages import Message
from klatsch_client.positions import Position
from klatsch_client.reload import Reload
from klatsch_client.state import State
from klatsch_client.unfinished import Unfinished
from tests.unit.client_application import STEPS, Application
from tests.unit.client_model import CONVERSATIONS, Server, push


@settings(max_examples=100)
@given(
    st.randoms(use_true_random=False),
    st.lists(st.sampled_from(STEPS), min_size=5, max_size=80),
)
def test_whatever_is_cut_crashed_reset_or_behind_each_message_and_change_is_told_once_in_order_and_none_is_missed(
    random: Random, steps: list[str]
) -> None:
    server = Server(random)
    for _ in range(random.randint(0, 3)):
        server.write()
    before = set(server.messages)
    application = Application(server)
    application.take_all()
    for step in steps:
        application.go(step, random)
        application.write_due()
        application.check_pending()
    application.take_all()
    assert not application.state.unfinished
    expected = {name: _as_shown(Message.read(row)) for name, row in server.messages.items()}
    told = {name: _as_shown(message) for name, message in application.told.items()}
    assert told == {name: expected[name] for name in told}
    assert told.keys() >= expected.keys() - before
    while application.pages:
        application.show()
    shown = [message for conversation in CONVERSATIONS for message in application.view.messages(conversation)]
    assert {message.id for message in shown} >= told.keys()
    assert [_as_shown(message) for message in shown] == [expected[message.id] for message in shown]


def _as_shown(message: Message) -> Message:
    """The message without the place of its last change: of one's own change without effect only the client knows it."""
    return replace(message, changed=message.position)


@given(st.randoms(use_true_random=False), st.integers(1, 200))
def test_what_is_remembered_is_bounded_by_the_conversations_and_not_by_what_is_said(random: Random, count: int) -> None:
    server = Server(random)
    application = Application(server)
    application.take_all()
    for _ in range(count):
        server.write()
    application.take_all()
    assert not application.state.known.ids
    assert len(application.state.known.floors) <= 3
    application.take_mark()
    application.take_all()
    assert not application.state.known.floors


def test_a_change_is_not_lost_that_is_made_after_its_row_was_loaded_and_before_a_newer_row_is() -> None:
    state = State()
    state.take(Push(ResumeMark(_token(0))), in_order=False)
    reset = state.take(Push(Reset(("one",), "too_far_behind", _token(10))), in_order=False)
    assert isinstance(reset, Reset)
    reload = Reload(state.known, reset, older_most=0)
    reload.next_request()
    reload.take_page({"results": [_row("old", 5)], "next": None, "previous": "http://x/?cursor=up"})
    assert reload.next_event() == Message.read(_row("old", 5))
    reload.next_request()
    reload.take_page({"results": [_row("newer", 12)], "next": None, "previous": None})
    assert reload.next_event() == Message.read(_row("newer", 12))
    state.take(Push(ResumeMark(_token(10))), in_order=False)
    change = {"t": "message_changed", "pos": "1:0:11", "d": _row("old", 5) | {"changed": "1:0:11"}}
    assert isinstance(state.take(push(change), in_order=True), Changed)
    assert state.take(push({"t": "message", "pos": "1:0:12", "d": _row("newer", 12)}), in_order=True) is None


def test_rows_of_a_history_that_cannot_be_read_are_left_out_and_counted_and_what_is_no_page_is_refused() -> None:
    state = State()
    reset = state.take(Push(Reset(("one",), "too_far_behind", _token(10))), in_order=False)
    assert isinstance(reset, Reset)
    reload = Reload(state.known, reset, older_most=0)
    reload.next_request()
    neighbours = {"next": None, "previous": None}
    pages: list[Any] = [[], {}, {"results": {}}, {"results": [], "next": 7}, {"results": None, **neighbours}]
    for page in pages:
        with pytest.raises((KeyError, TypeError)):
            reload.take_page(page)
    rows: list[Any] = [
        _row("new", 5),
        7,
        _row("x", 4) | {"position": "x"},
        _row("y", 3) | {"id": ["y"]},
        _row("old", 2),
    ]
    assert reload.take_page({"results": rows, **neighbours}) == 3
    told = [reload.next_event(), reload.next_event(), reload.next_event()]
    assert [event.id for event in told if isinstance(event, Message)] == ["old", "new"]
    assert reload.next_request() is None


def _token(offset: int) -> str:
    return f"1.0123456789abcdef.0:{offset}"


def _row(name: str, offset: int) -> dict[str, Any]:
    place = {"position": f"1:0:{offset}", "changed": f"1:0:{offset}"}
    return {
        "id": name,
        "client_id": name,
        "conversation": "one",
        "sender": "bob",
        "content": "",
        "sent_at": "",
        **place,
    }


def test_a_gateway_that_is_behind_the_last_mark_tells_nothing_again() -> None:
    server = Server(Random(1))
    state = State()
    records = [push(server.write()) for _ in range(9)]
    state.take(Push(ResumeMark(server.token(0))), in_order=False)
    assert all(state.take(record, in_order=True) for record in records)
    state.take(Push(ResumeMark(server.token(9))), in_order=True)
    state.take(Push(ResumeMark(server.token(3))), in_order=False)
    assert state.token == server.token(3)
    assert not any(state.take(record, in_order=True) for record in records[3:])


def test_a_server_that_has_gone_back_to_an_earlier_epoch_is_believed() -> None:
    state = State()
    state.take(Push(ResumeMark("2.0123456789abcdef.0:500")), in_order=True)
    state.take(Push(Reset(("one",), "unknown_epoch", "1.0123456789abcdef.0:10")), in_order=False)
    state.take(Push(ResumeMark("1.0123456789abcdef.0:10")), in_order=False)
    server = Server(Random(1))
    assert isinstance(state.take(push(server.write()), in_order=True), Message | None)
    assert state.known.covers("one", Position(1, 9, 0))
    assert not state.known.covers("one", Position(1, 10, 0))


def test_a_state_of_somebody_else_is_refused() -> None:
    state = State()
    state.belongs_to("ana")
    state.belongs_to("ana")
    with pytest.raises(Stopped, match="ana's"):
        state.belongs_to("bob")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"v": 1}', "null", "7"])
def test_what_is_no_saved_state_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="no saved state"):
        State.from_json(text)


def test_a_saved_state_of_another_version_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="version 2"):
        State.from_json(State().to_json().replace('"v": 1', '"v": 2'))


def test_a_saved_state_has_the_unfinished_sends_in_their_order() -> None:
    state = State()
    drafts = [Draft("b", "text", to="bob"), Draft("a", "grüße 🎉", conversation="one", reply_to="m1")]
    state.unfinished = Unfinished(drafts)
    assert list(State.from_json(state.to_json()).unfinished) == drafts
