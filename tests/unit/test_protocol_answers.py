"""The server's frames in the WebSocket's language: pushes, answers, marks and closing codes are as in protocol.md."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode

from klatsch.archive.message_view import public_fields
from klatsch.core.errors import BadRequest, FieldError, InvalidContent, RateLimited
from klatsch.gateway.language import protocol
from klatsch.gateway.language.protocol import Close
from klatsch.records.kinds import MEMBERS_CHANGED, MESSAGE, MESSAGE_CHANGED
from klatsch.records.values import encode
from tests.support.peer import parse_frames
from tests.support.records import ANA, BOB, added, change_of, direct, in_group, posted
from tests.unit.frame_strategies import frame_ids


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_wire_makes_one_unmasked_text_frame_as_the_websockets_library_reads_it(length: int) -> None:
    payload = b"x" * length
    [frame] = parse_frames(protocol.wire(payload))

    assert (frame.opcode, frame.fin, frame.rsv1, frame.rsv2, frame.rsv3) == (Opcode.TEXT, True, False, False, False)
    assert bytes(frame.data) == payload


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_frames_joined_are_read_one_by_one(payloads: list[bytes]) -> None:
    raw = b"".join(protocol.wire(payload) for payload in payloads)
    assert [bytes(frame.data) for frame in parse_frames(raw)] == payloads


# A message as it is read has these besides, once it is archived.
MESSAGE_FIELDS = {field.name for field in public_fields()} - {"seq", "reply_preview"}
said = st.builds(
    lambda access, content, reply_to: posted(access, content, client_id="one", reply_to=reply_to),
    st.sampled_from([direct(ANA, BOB), in_group(BOB)]),
    st.text(min_size=1),
    st.none() | st.uuids().map(str),
)


@given(said)
def test_a_push_is_json_in_the_shape_of_a_message(event: Any) -> None:
    push = json.loads(MESSAGE.frame("1:3:91823", encode(event)))

    assert (push["t"], push["pos"]) == ("message", "1:3:91823")
    shown = push["d"]
    assert shown.keys() >= MESSAGE_FIELDS
    assert (shown["position"], shown["changed"]) == ("1:3:91823", "1:3:91823")
    assert (shown["edited_at"], shown["pinned_at"], shown["deleted"]) == (None, None, False)
    assert (shown["reactions"], shown["reaction_counts"], shown["mentions"]) == ({}, {}, [])
    written = ("id", "client_id", "conversation", "sender", "sender_id", "receiver", "content", "sent_at", "reply_to")
    assert {name: shown[name] for name in written} == {name: getattr(event, name) for name in written}


@given(said, st.text(max_size=50))
def test_a_pushed_change_is_json_in_the_shape_of_a_message(event: Any, content: str) -> None:
    push = json.loads(MESSAGE_CHANGED.frame("1:3:91840", change_of(event, content, position="1:3:91823").value))

    assert (push["t"], push["pos"]) == ("message_changed", "1:3:91840")
    assert push["d"].keys() >= MESSAGE_FIELDS
    assert (push["d"]["position"], push["d"]["changed"]) == ("1:3:91823", "1:3:91840")
    assert (push["d"]["id"], push["d"]["content"]) == (event.id, content)


def test_a_pushed_membership_names_the_people_and_the_conversation() -> None:
    push = json.loads(MEMBERS_CHANGED.frame("1:0:7", added(BOB).value))

    assert (push["t"], push["pos"]) == ("members", "1:0:7")
    assert [(member["user"], member["active"]) for member in push["d"]["members"]] == [("bob", True)]


@given(frame_ids, st.uuids().map(str), st.booleans())
def test_an_answer_to_a_send_names_its_frame_and_the_messages_place(re: Any, message_id: str, duplicate: Any) -> None:
    assert json.loads(protocol.ok_sent(re, message_id, "1:3:91830", duplicate=duplicate)) == {
        "re": re,
        "ok": {"id": message_id, "position": "1:3:91830", "duplicate": duplicate},
    }


@given(st.none() | frame_ids)
def test_an_error_has_a_code_a_sentence_and_whether_it_is_temporary(re: Any) -> None:
    assert json.loads(protocol.err(re, BadRequest("No."))) == {
        "re": re,
        "err": {"code": "bad_request", "detail": "No.", "temporary": False},
    }


def test_an_error_says_when_to_come_again_and_which_fields_are_wrong() -> None:
    limited = json.loads(protocol.err(1, RateLimited("Too fast.", retry_after=1.5)))["err"]
    wrong = json.loads(protocol.err(1, InvalidContent("No.", fields=(FieldError("content", "empty", "1 to 4,000"),))))

    assert (limited["temporary"], limited["retry_after"]) == (True, 1.5)
    assert wrong["err"]["errors"] == [{"field": "content", "code": "empty", "detail": "1 to 4,000"}]


def test_marks_and_resets_are_those_of_the_protocol() -> None:
    assert json.loads(protocol.push_mark("1.ab.0:1")) == {"t": "mark", "resume": "1.ab.0:1"}
    reset = protocol.push_reset(["c"], "too_far_behind", "1.ab.0:1")
    assert json.loads(reset) == {
        "t": "reset",
        "d": {"conversations": ["c"], "why": "too_far_behind", "at_least": "1.ab.0:1"},
    }


def test_43xx_means_resume_and_44xx_means_stop() -> None:
    assert [code.value for code in Close] == [4301, 4302, 4303, 4304, 4400, 4401, 4403, 4429]
