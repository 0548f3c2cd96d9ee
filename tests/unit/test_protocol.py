"""A client's frames in the WebSocket's language: each is one known operation or a BadFrame."""

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

from klatsch.gateway.connection import ChatConnection
from klatsch.gateway.language import ops, protocol
from klatsch.gateway.language.ops import OPS, BadFrame, decode_frame
from klatsch.gateway.language.requests import ClientFrame, Hello, HelloBody, Send, SendBody
from tests.unit.frame_strategies import hellos, json_values, sends, texts


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
        ('{"id":1,"op":"send"}', 1, "bad_request"),
        ('{"id":1,"op":"send","d":{"content":"hi"}}', 1, "bad_request"),
        ('{"id":1,"op":"send","d":{"content":7,"client_id":"a","to":"bob"}}', 1, "bad_request"),
        ('{"id":1,"op":"send","d":{"content":"\\ud800","client_id":"a","to":"bob"}}', 1, "invalid_content"),
        ('{"d":{"content":"a\\uDE00b","client_id":"a","to":"b"},"op":"send","id":"7"}', "7", "invalid_content"),
        ('{"id":1,"op":"edit","d":{"content":"\\ude00\\ud83d"}}', 1, "invalid_content"),
        ('{"id":1,"op":"hello","d":{"resume":"\\ud800"}}', 1, "bad_request"),
        ('{"id":"\\ud800","op":"hello"}', None, "bad_request"),
        ('{"id":"\\ud83d\\ude00","op":"hello","d":7}', "\N{GRINNING FACE}", "bad_request"),
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
    assert caught.value.re == re


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


class _PagedBody(msgspec.Struct, frozen=True):
    name: str
    after: str | None = None
    limit: int = 50


class _Paged(ClientFrame, frozen=True, tag="paged"):
    d: _PagedBody


class _PagedOrNot(ClientFrame, frozen=True, tag="paged_or_not"):
    d: _PagedBody = _PagedBody("")


def test_how_many_fields_an_operation_has_is_read_off_its_struct() -> None:
    """Leaves out `limit`, which may be missing though it has a value, as may the whole body of the second."""
    counted = {frame: ops._most_fields(frame) for frame in (_Paged, _PagedOrNot, Hello, Send)}
    assert counted == {_Paged: 5, _PagedOrNot: 3, Hello: 3, Send: 8}


def test_every_operation_has_a_handler_that_takes_its_struct() -> None:
    for op in OPS:
        handler = inspect.signature(getattr(ChatConnection, op.handler), eval_str=True)
        taken = handler.parameters["frame"].annotation
        assert op.frame in (taken, *get_args(taken))
