"""The client's reading of frames, its names for messages, and its pauses."""

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from klatsch.core.ids import is_fresh
from klatsch.gateway.language.asyncapi.messages import frames_of
from klatsch.records.kinds import KINDS
from klatsch_client import frames
from klatsch_client.clock import ServerClock
from klatsch_client.errors import NotAuthenticated, Stopped
from klatsch_client.events import Member, Members, Reset, Typing
from klatsch_client.frames import Accepted, Garbled, Push, Rejected, ResumeMark, Welcome
from klatsch_client.messages import Message
from klatsch_client.positions import Position, Token
from klatsch_client.retries import Backoff
from klatsch_client.sends import Sends
from klatsch_client.session import Session
from klatsch_client.state import State
from klatsch_client.uuid7 import Uuid7s

_TOKEN = "1.0123456789abcdef.0:5.1:7"
_MESSAGE = {
    "id": "m", "client_id": "c", "conversation": "one", "sender": "bob", "receiver": "ana", "content": "hi",
    "sent_at": "2026-11-24T00:00:00.000Z", "position": "1:3:5", "changed": "1:3:9", "new_field": [1],
}  # fmt: skip


def _decode(frame: dict[str, Any]) -> frames.Frame | None:
    return frames.decode(json.dumps(frame))


def test_answers_are_read_with_fields_that_are_not_known_yet() -> None:
    limits = {"unanswered": 64, "frame": 65_536, "text": 4_000, "more": 1}
    ok: dict[str, Any] = {
        "user": "ana",
        "resumed": True,
        "heartbeat": 25,
        "now": "2026-11-24T00:00:00.000Z",
        "limits": limits,
    }
    assert _decode({"re": "hello", "ok": ok, "x": 1}) == Welcome("ana", True, 25, 1_795_478_400_000, 64, 65_536)
    sent = {"id": "m", "position": "1:2:3", "duplicate": True, "x": 1}
    assert _decode({"re": 1, "ok": sent}) == Accepted(1, "m", Position(1, 3, 2), duplicate=True)
    told = {"id": "c", "position": "1:2:3", "duplicate": False, "edited_at": "now", "mentions": ["bob"]}
    assert _decode({"re": 1, "ok": told}) == Accepted(1, "c", Position(1, 3, 2), False, ("bob",), "now")
    err = {"code": "rate_limited", "detail": "slow", "temporary": True, "retry_after": 1.5, "errors": []}
    assert _decode({"re": 2, "err": err}) == Rejected(2, "rate_limited", "slow", temporary=True, retry_after_s=1.5)


def test_pushes_are_read_and_unknown_ones_are_none() -> None:
    message = Message.read(_MESSAGE)
    assert (message.changed, message.seq, message.reactions) == (Position(1, 9, 3), None, {})
    assert _decode({"t": "message", "pos": "1:3:5", "d": _MESSAGE}) == Push(message, Position(1, 5, 3))
    assert _decode({"t": "message_changed", "pos": "1:3:9", "d": _MESSAGE}) == Push(message, Position(1, 9, 3))
    assert _decode({"t": "state", "d": {"kind": "message", **_MESSAGE}}) == Push(message)
    assert _decode({"t": "mark", "resume": _TOKEN, "x": 1}) == Push(ResumeMark(_TOKEN))
    reset = {"conversations": ["one"], "why": "archive_behind", "at_least": _TOKEN}
    assert _decode({"t": "reset", "d": reset}) == Push(Reset(("one",), "archive_behind", _TOKEN))
    assert _decode({"t": "typing", "d": {"conversation": "one", "user": "bob"}}) == Push(Typing("one", "bob"))
    assert _decode({"t": "something_new", "d": 7}) is None
    assert _decode({"t": "state", "d": {"kind": "something_new"}}) is None


def test_members_are_read_from_pushes_and_states() -> None:
    bob = {"user": "bob", "user_id": "b", "active": True, "role": "admin", "version": 2}
    body = {"conversation": "one", "kind": "group", "title": "All", "members": [bob], "v": 1}
    expected = Members("one", "group", "All", (Member("bob", True, "admin", 2),))
    assert _decode({"t": "members", "pos": "1:2:3", "d": body}) == Push(expected, Position(1, 3, 2))
    state = _decode({"t": "state", "d": body | {"kind": "members"}})
    assert isinstance(state, Push)
    assert isinstance(state.what, Members)
    assert state.what.members == expected.members


def test_every_example_of_the_servers_document_can_be_read() -> None:
    said = [one for one in frames_of(KINDS) if one.source == "server" and not one.coming]
    assert len(said) > 5
    for spoken in said:
        is_shown = spoken.name in {"open_ok", "presence_ok"}  # which the client asks for under these ids
        frame = spoken.example | ({"re": spoken.name.removesuffix("_ok")} if is_shown else {})
        assert _decode(frame) is not None, spoken.name


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", "null", '"t"', "{}", '{"t":"mark"}', '{"t":"mark","resume":"no"}', '{"t":"message","d":{}}',
     '{"re":1,"ok":{}}', '{"re":1,"err":{}}', '{"t":"reset","d":{"conversations":1}}', "[" * 100_000],
)  # fmt: skip
def test_what_is_no_frame_is_garbled(text: str) -> None:
    with pytest.raises(Garbled):
        frames.decode(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["1:2:3", _TOKEN]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


_SAID = [spoken for spoken in frames_of(KINDS) if spoken.source == "server"]


@st.composite
def _spoiled(draw: st.DrawFn) -> str:
    """Draws a frame that the server may say, in which some field, somewhere, is another."""
    spoken = draw(st.sampled_from(_SAID))
    frame = place = json.loads(json.dumps(spoken.example))
    while True:
        name = draw(st.sampled_from(sorted(place))) if isinstance(place, dict) else draw(st.integers(0, len(place) - 1))
        if isinstance(place[name], dict | list) and place[name] and draw(st.booleans()):
            place = place[name]
            continue
        place[name] = draw(_JSON)
        return json.dumps(frame)


@settings(max_examples=75)
@given(st.lists(_spoiled(), max_size=8), st.sampled_from([None, Welcome("ana", True, 25, 0, 64, 65_536)]))
def test_whatever_the_server_says_is_read_or_garbled_and_the_state_goes_on(
    said: list[str], welcome: Welcome | None
) -> None:
    session, state = Session(), State()
    sends = Sends(state.unfinished.named)
    session.welcome = welcome
    for text in said:
        try:
            frame = frames.decode(text)
        except Garbled:
            continue
        match frame:
            case Push() as push:
                state.take(push, in_order=session.take(push))
            case Welcome() as again:
                sends.limited(again.unanswered_most, again.frame_bytes_most)
                assert sends.take_due(0) == []
            case Accepted() | Rejected() as answer:
                sends.take_answer(answer, 0)
    assert State.from_json(state.to_json()).token == state.token


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1011, 1012, 1013, 4301, 4302, 4303, 4304, 4399, 4500])
def test_these_close_codes_mean_resume(code: int) -> None:
    frames.check_close(code, "")


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1009, 4400, 4401, 4403, 4429, 4499])
def test_these_close_codes_mean_stop(code: int) -> None:
    with pytest.raises(NotAuthenticated if code == 4401 else Stopped) as stopped:
        frames.check_close(code, "why")
    assert stopped.value.code == code


def test_positions_of_a_conversation_compare_by_epoch_and_then_by_offset_as_numbers() -> None:
    texts = ["1:3:5", "1:3:10", "1:3:9007199254740993", "2:3:0"]
    assert sorted(map(Position.parse, reversed(texts))) == [Position.parse(text) for text in texts]
    assert [str(Position.parse(text)) for text in texts] == texts


def test_a_token_covers_what_lies_before_its_offsets_and_all_of_earlier_epochs() -> None:
    token = Token.parse("2.0123456789abcdef.0:5.1:7")
    assert str(token) == "2.0123456789abcdef.0:5.1:7"
    covered = {
        p: token.covers(Position.parse(p)) for p in ("2:0:4", "2:0:5", "2:1:6", "2:1:7", "2:2:0", "1:0:9", "3:0:0")
    }
    assert [p for p, is_covered in covered.items() if is_covered] == ["2:0:4", "2:1:6", "1:0:9"]
    assert str(token.joined(Token.parse("2.x.0:6.1:1"))) == "2.x.0:6.1:7"


@given(st.lists(st.integers(0, 2**48 - 1) | st.integers(10**12, 10**12 + 100_000), min_size=1, max_size=50))
def test_names_are_uuids_of_version_7_of_the_servers_minute_that_grow_where_the_clock_goes_back_by_less(
    times_ms: list[int],
) -> None:
    uuids = Uuid7s()
    made = [uuids.make(ms) for ms in times_ms]
    assert len(set(made)) == len(made)
    assert {(UUID(name).version, UUID(name).variant) for name in made} == {(7, "specified in RFC 4122")}
    assert all(is_fresh(name, ms) for name, ms in zip(made, times_ms, strict=True))
    grown = [one < other or not is_fresh(one, ms) for one, other, ms in zip(made, made[1:], times_ms[1:], strict=False)]
    assert all(grown)


def test_a_last_name_that_a_wrong_clock_made_more_than_a_minute_ahead_is_forgotten() -> None:
    uuids = Uuid7s()
    hour_ms, now_ms = 3_600_000, 1_795_478_400_000
    ahead = uuids.make(now_ms + hour_ms)
    names = [uuids.make(now_ms), uuids.make(now_ms)]
    assert not is_fresh(ahead, now_ms)
    assert [is_fresh(name, now_ms) for name in names] == [True, True]
    assert names == sorted(names)


def test_the_servers_time_goes_on_by_the_monotonic_clock_whatever_the_wall_clock_does() -> None:
    wall, monotonic = [7_200_000], [500]
    clock = ServerClock(wall_ms=lambda: wall[0], monotonic_ms=lambda: monotonic[0])
    assert clock.now_ms() == 7_200_000
    clock.correct(1_000_000)
    wall[0], monotonic[0] = -9_999_999, 2_500
    assert clock.now_ms() == 1_002_000


def test_names_grow_even_where_the_random_bits_of_a_millisecond_are_used_up() -> None:
    uuids = Uuid7s(lambda bits: (1 << bits) - 1)
    assert uuids.make(5) == "00000000-0005-7fff-bfff-ffffffffffff"
    assert uuids.make(5) == "00000000-0006-7000-8000-000000000000"
    assert uuids.make(5) == "00000000-0006-7000-8000-000000000001"


def test_pauses_between_connections_double_up_to_a_bound_and_are_drawn_from_zero() -> None:
    drawn: list[tuple[float, float]] = []

    def lowest(low: float, high: float) -> float:
        drawn.append((low, high))
        return low

    backoff = Backoff(0.5, 3, lowest)
    assert [backoff.next_s() for _ in range(4)] == [0, 0, 0, 0]
    backoff.succeeded()
    backoff.next_s()
    assert drawn == [(0, 0.5), (0, 1), (0, 2), (0, 3), (0, 0.5)]
    for _ in range(2_000):
        backoff.next_s()
    assert drawn[-1] == (0, 3)
