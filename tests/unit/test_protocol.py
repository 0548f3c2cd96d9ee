"""The WebSocket's language: a frame is one known operation or a BadFrame, and the answers are those of protocol.md."""

import inspect
import json
import time
import timeit
from collections.abc import Callable
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from websockets.frames import Opcode

from klatsch.archive.message_view import public_fields
from klatsch.core.errors import BadRequest, FieldError, InvalidContent, RateLimited
from klatsch.gateway.connection import ChatConnection
from klatsch.gateway.language import ops, protocol
from klatsch.gateway.language.ops import OPS, BadFrame, decode_frame
from klatsch.gateway.language.protocol import Close
from klatsch.gateway.language.requests import ClientFrame, Hello, HelloBody, Send, SendBody
from klatsch.records.kinds import MEMBERS_CHANGED, MESSAGE, MESSAGE_CHANGED
from klatsch.records.values import encode
from tests.support.peer import parse_frames
from tests.support.records import ANA, BOB, added, change_of, direct, in_group, posted

texts = st.text(max_size=40)
frame_ids = st.integers() | st.text(max_size=64)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


sends = st.builds(
    lambda frame_id, body: {"id": frame_id, "op": "send", "d": body},
    frame_ids,
    st.fixed_dictionaries(
        {"content": texts, "client_id": texts},
        optional={"conversation": texts, "to": texts, "reply_to": texts, "mood": json_values},
    ),
)
hellos = st.builds(
    lambda frame_id, rest: {"id": frame_id, "op": "hello", **rest},
    frame_ids,
    st.fixed_dictionaries({}, optional={"d": st.fixed_dictionaries({}, optional={"resume": st.none() | texts})}),
)


@given(sends, st.booleans())
def test_a_send_says_what_the_client_wrote(frame: dict[str, Any], ascii_only: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    body = frame["d"]
    assert decode_frame(json.dumps(frame, ensure_ascii=ascii_only)) == Send(
        id=frame["id"],
        d=SendBody(
            content=body["content"],
            client_id=body["client_id"],
            conversation=body.get("conversation"),
            to=body.get("to"),
            reply_to=body.get("reply_to"),
        ),
    )


@given(hellos)
def test_a_hello_brings_its_resume_token_or_none(frame: dict[str, Any]) -> None:
    assert decode_frame(json.dumps(frame)) == Hello(id=frame["id"], d=HelloBody(frame.get("d", {}).get("resume")))


@given(texts)
def test_any_text_is_an_operation_or_a_bad_frame(text: str) -> None:
    with pytest.raises(BadFrame):
        decode_frame(text)


@given(json_values)
def test_any_json_is_an_operation_or_a_bad_frame(value: Any) -> None:
    with pytest.raises(BadFrame):
        decode_frame(json.dumps(value))


@given(sends | hellos, st.data())
def test_a_mutated_frame_is_an_operation_or_a_bad_frame(frame: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(frame)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 8)))
    put = data.draw(st.text(max_size=6) | st.sampled_from(['"', "{", "}", ":", "null", "1e999", "\\ud800", "\\u0000"]))
    try:
        decode_frame(text[:start] + put + text[end:])
    except BadFrame as bad:
        json.loads(protocol.err(bad.re, bad.error))


@given(sends | hellos, st.sampled_from(["id", "op", "d"]), json_values)
def test_a_field_of_another_kind_is_a_bad_frame_that_can_be_answered(
    frame: dict[str, Any], field: str, value: Any
) -> None:
    assume(value not in ("send", "hello") and not (field == "id" and isinstance(value, int | str)))
    assume(not (field == "d" and isinstance(value, dict)) and not isinstance(value, bool))
    with pytest.raises(BadFrame) as caught:
        decode_frame(json.dumps(frame | {field: value}))
    json.loads(protocol.err(caught.value.re, caught.value.error))


@pytest.mark.parametrize(
    ("text", "re", "code"),
    [
        (None, None, "bad_request"),
        ("", None, "bad_request"),
        ("hi", None, "bad_request"),
        ("[]", None, "bad_request"),
        ("{}", None, "bad_request"),
        ('{"id":1}', 1, "bad_request"),
        ('{"id":1,"op":"dance"}', 1, "unknown_op"),
        ('{"id":"a","op":"dance","d":[1]}', "a", "unknown_op"),
        ('{"op":"dance"}', None, "unknown_op"),
        ('{"id":1,"op":7}', 1, "bad_request"),
        ('{"id":null,"op":"hello"}', None, "bad_request"),
        ('{"id":1.5,"op":"hello"}', None, "bad_request"),
        ('{"id":true,"op":"hello"}', None, "bad_request"),
        (f'{{"id":"{"x" * 65}","op":"hello"}}', None, "bad_request"),
        ('{"id":1,"op":"hello","d":null}', 1, "bad_request"),
        ('{"id":1,"op":"hello","d":{"resume":7}}', 1, "bad_request"),
        (f'{{"id":1,"op":"hello","d":{{"resume":"{"x" * 16_385}"}}}}', 1, "bad_request"),
        ('{"id":1,"op":"send"}', 1, "bad_request"),
        ('{"id":1,"op":"send","d":{"content":"hi"}}', 1, "bad_request"),
        ('{"id":1,"op":"send","d":{"content":7,"client_id":"a","to":"bob"}}', 1, "bad_request"),
        ('{"id":1,"op":"send","d":{"content":"\\ud800","client_id":"a","to":"bob"}}', 1, "bad_request"),
        ('{"id":1,"op":"hello"}{"id":2,"op":"hello"}', None, "bad_request"),
        ('\ufeff{"id":1,"op":"hello"}', None, "bad_request"),
        ('{"id":1,"op":"\ud800"}', None, "bad_request"),
        ("[" * 60_000, None, "bad_request"),
        ('{"id":1,"op":"hello","x":' + "[" * 60_000, None, "bad_request"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_not_exactly_one_known_operation_is_a_bad_frame(text: str | None, re: Any, code: str) -> None:
    with pytest.raises(BadFrame) as caught:
        decode_frame(text)
    assert caught.value.error.code == code
    assert caught.value.re in {re, None}


@pytest.mark.parametrize(
    "text",
    [
        '{"id":1,"id":2,"op":"hello"}',
        '{"id":1,"op":"hello","op":"hello"}',
        '{"id":1,"op":"hello","d":{},"d":{}}',
        '{"id":1,"op":"hello","d":{"resume":null,"resume":"x"}}',
        '{"id":1,"op":"hello","d":{"resume":"x","resume":"y"}}',
        '{"id":1,"id":1,"op":"send","d":{"content":"a","client_id":"b","to":"bob"}}',
        '{"id":1,"op":"send","op":"send","d":{"content":"a","client_id":"b","to":"bob"}}',
        '{"id":1,"op":"send","d":{"content":"a","content":"b","client_id":"b","to":"bob"}}',
        '{"id":1,"op":"send","d":{"content":"a","\\u0063ontent":"b","client_id":"b","to":"bob"}}',
        '{"id":1,"op":"send","d":{"content":"a","content":"b","client_id":"b"}}',
        '{"id":1,"op":"send","d":{"content":"a:b","client_id":"b","to":"bob","to":"cleo"}}',
        '{"id":1,"op":"send","d":{"content":"a","client_id":"b","to":"bob","reply_to":null,"reply_to":null}}',
        '{"id":1,"op":"send","d":{"content":"a","client_id":"b","to":"bob","x":1,"x":2}}',
        '{"id":1,"op":"hello","x":1,"x":2}',
        '{"id":1,"op":"hello","x":":","x":":"}',
        '{"id":1,"op":"send","d":{"content":"\\u003a","client_id":"b","to":"bob","to":"cleo"}}',
    ],
)
def test_a_key_given_twice_is_a_bad_frame(text: str) -> None:
    with pytest.raises(BadFrame) as caught:
        decode_frame(text)
    assert caught.value.error.detail == "A key is given twice."


def test_a_field_with_a_colon_in_its_name_hides_no_key_given_twice() -> None:
    with pytest.raises(BadFrame) as caught:
        decode_frame('{"id":1,"op":"hello","op":"hello","\\u003a":1}')
    assert caught.value.error.detail == "No field has a colon in its name."


SMALL_OBJECTS = '"x":[' + ",".join(['{"a":1}'] * 7_900) + "]"
SMALL_FIELDS = ",".join(f'"{number:x}":1' for number in range(7_000))


@pytest.mark.parametrize("junk", [SMALL_OBJECTS, SMALL_FIELDS], ids=["objects", "fields"])
def test_a_text_full_of_unknown_fields_costs_a_few_times_its_decoding(junk: str) -> None:
    """Objects of Python made of it took sixty times as long: relative to msgspec's own reading of the same bytes."""
    text = f'{{"id":1,"op":"send","d":{{"content":"hi","client_id":"b","to":"bob",{junk}}}}}'
    read = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

    def best_of(act: Callable[[], object]) -> float:
        return min(timeit.repeat(act, timer=time.thread_time, number=1, repeat=20))

    assert isinstance(decode_frame(text), Send)
    assert best_of(lambda: decode_frame(text)) < 5 * best_of(lambda: read(read(text)["d"]))


@given(sends | hellos, st.data())
def test_any_key_given_twice_is_a_bad_frame(frame: dict[str, Any], data: st.DataObject) -> None:
    body = frame.get("d") or {}
    doubled_in_body = bool(body) and data.draw(st.booleans())
    inside = body if doubled_in_body else frame
    key = data.draw(st.sampled_from(sorted(inside)))
    doubled = f"{json.dumps(inside)[:-1]}, {json.dumps(key)}: {json.dumps(inside[key])}}}"
    text = json.dumps(frame | {"d": "@"}).replace('"@"', doubled) if doubled_in_body else doubled
    with pytest.raises(BadFrame):
        decode_frame(text)


@given(st.text(min_size=1, max_size=40).map(lambda text: f":{text}:"))
def test_colons_in_a_text_are_no_keys(content: str) -> None:
    text = json.dumps({"id": 1, "op": "send", "d": {"content": content, "client_id": "a:b", "to": ":"}})
    frame = decode_frame(text)

    assert isinstance(frame, Send)
    assert frame.d.content == content


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


class _PagedBody(msgspec.Struct, frozen=True):
    name: str
    after: str | None = None
    limit: int = 50


class _Paged(ClientFrame, frozen=True, tag="paged"):
    d: _PagedBody


class _PagedOrNot(ClientFrame, frozen=True, tag="paged_or_not"):
    d: _PagedBody = _PagedBody("")


def test_how_many_fields_an_operation_has_is_read_off_its_struct() -> None:
    """Without `limit`, which may have been left out though it has a value, as may the whole body of the second."""
    counted = {frame: ops._most_fields(frame) for frame in (_Paged, _PagedOrNot, Hello, Send)}
    assert counted == {_Paged: 5, _PagedOrNot: 3, Hello: 3, Send: 8}


def test_every_operation_has_a_handler_that_takes_its_struct() -> None:
    for op in OPS:
        handler = inspect.signature(getattr(ChatConnection, op.handler), eval_str=True)
        taken = handler.parameters["frame"].annotation
        assert op.frame in (taken, *get_args(taken))
