"""Whatever a client writes is answered or closed with a code; what is malformed or refused is never appended."""

import json
import time
from typing import Any

import pytest

from klatsch.core.ids import uuid7
from tests.e2e.client import Client
from tests.e2e.talk import Open
from tests.support.process import GatewayProcess
from tests.support.system import Person, System

_NUMBER = "7" * 5_000
_NESTED = "[" * 30_000 + "]" * 30_000
_OBJECTS = '{"a":' * 10_000 + "1" + "}" * 10_000

_FRAMES = {
    "empty": "",
    "null": "null",
    "a text": '"send"',
    "a number": "1",
    "a list": "[]",
    "a list of a frame": '[{"id":7,"op":"OP","d":BODY}]',
    "not whole": '{"id":7,"op":"OP","d":',
    "more than one": '{"id":7,"op":"OP","d":BODY}{"id":8,"op":"OP","d":BODY}',
    "single quotes": "{'id':7,'op':'OP'}",
    "an unquoted key": '{id:7,"op":"OP","d":BODY}',
    "NaN": "NaN",
    "NaN for an id": '{"id":NaN,"op":"OP","d":BODY}',
    "NaN for a body": '{"id":7,"op":"OP","d":NaN}',
    "Infinity in what nobody reads": '{"id":7,"op":"OP","d":BODY,"x":-Infinity}',
    "5,000 digits": _NUMBER,
    "5,000 digits for an id": f'{{"id":{_NUMBER},"op":"OP","d":BODY}}',
    "5,000 digits for a body": f'{{"id":7,"op":"OP","d":{_NUMBER}}}',
    "nested lists": _NESTED,
    "nested lists for a body": f'{{"id":7,"op":"OP","d":{_NESTED}}}',
    "nested objects": _OBJECTS,
    "nested objects in what nobody reads": f'{{"id":7,"op":"OP","d":BODY,"x":{_OBJECTS}}}',
    "no id": '{"op":"OP","d":BODY}',
    "a fraction for an id": '{"id":1.5,"op":"OP","d":BODY}',
    "an object for an id": '{"id":{},"op":"OP","d":BODY}',
    "no op": '{"id":7,"d":BODY}',
    "a list for an op": '{"id":7,"op":["OP"],"d":BODY}',
    "an unknown op": '{"id":7,"op":"OPX","d":BODY}',
    "a list for a body": '{"id":7,"op":"OP","d":[BODY]}',
    "op twice": '{"id":7,"op":"OP","op":"OP","d":BODY}',
    "id twice": '{"id":7,"id":8,"op":"OP","d":BODY}',
    "body twice": '{"id":7,"op":"OP","d":BODY,"d":BODY}',
}
_SENDS = {
    "content twice": '{"to":"TO","client_id":"ID","content":"a","content":"b"}',
    "a number for content": '{"to":"TO","client_id":"ID","content":5}',
    "a list for content": '{"to":"TO","client_id":"ID","content":["a"]}',
    "null for content": '{"to":"TO","client_id":"ID","content":null}',
    "no content": '{"to":"TO","client_id":"ID"}',
    "no client_id": '{"to":"TO","content":"a"}',
    "a lone surrogate": '{"to":"TO","client_id":"ID","content":"\\ud800"}',
    "surrogates the wrong way round": '{"to":"TO","client_id":"ID","content":"\\udc00\\ud800"}',
    "a bad escape": '{"to":"TO","client_id":"ID","content":"\\x41"}',
    "a raw line end": '{"to":"TO","client_id":"ID","content":"a\nb"}',
    "a raw NUL": '{"to":"TO","client_id":"ID","content":"a\0b"}',
}
_MALFORMED = [
    *[("hello", frame.replace("OP", "hello").replace("BODY", '{"resume":null}')) for frame in _FRAMES.values()],
    *[
        ("send", frame.replace("OP", "send").replace("BODY", _SENDS["no content"].replace("}", ',"content":"a"}')))
        for frame in _FRAMES.values()
    ],
    *[("send", f'{{"id":7,"op":"send","d":{body}}}') for body in _SENDS.values()],
    ("hello", '{"id":7,"op":"hello","d":{"resume":5}}'),
    ("hello", '{"id":7,"op":"hello","d":{"resume":"a","resume":"b"}}'),
]
_NAMES = [
    *[f"hello: {name}" for name in _FRAMES],
    *[f"send: {name}" for name in _FRAMES],
    *[f"send: {name}" for name in _SENDS],
    "hello: a number for a token",
    "hello: a token twice",
]


def _refusals(client: Client) -> list[dict[str, Any]]:
    return [frame for frame in client.history.frames if "err" in frame]


@pytest.fixture
async def pair(gateway_a: GatewayProcess, connect: Open, ana: Person, bob: Person) -> tuple[Client, Person]:
    """Returns Ana's connection, whose conversation with bob is made."""
    client: Client = await connect(gateway_a, ana)
    await client.send("first", to=bob.username)
    return client, bob


@pytest.mark.parametrize(("op", "frame"), _MALFORMED, ids=_NAMES)
async def test_a_malformed_frame_is_refused_and_appends_nothing(
    system: System,
    gateway_a: GatewayProcess,
    connect_silent: Open,
    pair: tuple[Client, Person],
    ana: Person,
    op: str,
    frame: str,
) -> None:
    client, bob = pair
    size = system.log.size()
    writer = await connect_silent(gateway_a, ana) if op == "hello" else client
    await writer.write(frame.replace("TO", bob.username).replace("ID", uuid7(time.time_ns() // 1_000_000)))
    await writer.until(lambda: _refusals(writer), "a refusal")
    [refusal] = _refusals(writer)
    assert refusal["err"]["code"] in {"bad_request", "unknown_op", "invalid_content"}
    assert refusal["err"]["temporary"] is False
    assert refusal["re"] in {None, 7, 8}
    if op == "hello":
        assert "ok" in await writer.request("hello", {})
    # In the same partition: had the frame been appended, it would stand before this.
    await client.send("last", to=bob.username)
    assert system.log.size() == size + 1


@pytest.mark.parametrize("content", ["hi \\ud83d there", "\\udc00\\ud800"])
async def test_half_an_emoji_is_refused_under_the_id_of_its_frame(pair: tuple[Client, Person], content: str) -> None:
    client, bob = pair
    name = uuid7(time.time_ns() // 1_000_000)
    await client.write(
        f'{{"id":7,"op":"send","d":{{"to":"{bob.username}","client_id":"{name}","content":"{content}"}}}}'
    )
    assert (await client.answer_to(7))["err"]["code"] == "invalid_content"


async def test_an_unknown_op_is_told_so_under_its_id(pair: tuple[Client, Person]) -> None:
    client, _ = pair
    await client.write('{"id":"a name","op":"shout","d":{}}')
    answer = await client.answer_to("a name")
    assert answer["err"]["code"] == "unknown_op"
    assert client.closed is None


async def test_what_a_newer_client_adds_to_a_frame_is_ignored(pair: tuple[Client, Person]) -> None:
    client, bob = pair
    body = {"to": bob.username, "client_id": uuid7(time.time_ns() // 1_000_000), "content": "a:b", "mood": {"x": [1]}}
    await client.write(json.dumps({"id": "x:1", "op": "send", "d": body, "trace": "c:d:e:f:g:h:i"}))
    assert "ok" in await client.answer_to("x:1")


@pytest.mark.parametrize("good", [True, False])
async def test_ten_malformed_frames_in_a_row_close_with_4400_and_a_good_one_between_counts_anew(
    pair: tuple[Client, Person], *, good: bool
) -> None:
    client, bob = pair
    for _ in range(9):
        await client.write("{}")
    if good:
        assert (await client.send("good", to=bob.username)).ok
        for _ in range(9):
            await client.write("[]")
        assert (await client.send("still open", to=bob.username)).ok
        await client.write("[]")
        await client.until(lambda: len(_refusals(client)) == 19, "nineteen refusals")
        assert client.closed is None
    else:
        await client.write("[]")
        assert await client.until_closed() == 4400
        assert len(_refusals(client)) == 10


async def test_a_binary_frame_is_refused_and_appends_nothing(system: System, pair: tuple[Client, Person]) -> None:
    client, bob = pair
    size = system.log.size()
    body = {"to": bob.username, "client_id": uuid7(time.time_ns() // 1_000_000), "content": "a"}
    await client.write(json.dumps({"id": 7, "op": "send", "d": body}).encode())
    assert (await client.answer_to(None))["err"]["code"] == "bad_request"
    await client.send("last", to=bob.username)
    assert system.log.size() == size + 1


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b'{"id":7,"op":"send","d":{"content":"\xff\xfe"}}', 1007),
        (b'{"id":7,"op":"send","d":{"content":"\xed\xa0\x80"}}', 1007),
        (b'{"id":7,"op":"send","d":{"content":"' + b"a" * 65_536 + b'"}}', 1009),
    ],
    ids=["no UTF-8", "a surrogate in UTF-8", "oversize"],
)
async def test_what_is_no_text_frame_of_ours_is_closed_with_a_standard_code_and_no_traceback(
    system: System, gateway_a: GatewayProcess, pair: tuple[Client, Person], frame: bytes, code: int
) -> None:
    client, _ = pair
    size = system.log.size()
    await client.write(frame, text=True)
    assert await client.until_closed() == code
    assert system.log.size() == size
    assert "Traceback" not in gateway_a.log.read_text()


_STRANGE = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"content": ""}, "invalid_content"),
        ({"content": "a\0b"}, "invalid_content"),
        ({"content": "a\x07b"}, "invalid_content"),
        ({"content": "a\x7fb"}, "invalid_content"),
        ({"content": "a\x85b"}, "invalid_content"),
        ({"content": "a" * 4_001}, "too_long"),
        ({"content": "🎉" * 4_001}, "too_long"),
        ({"client_id": ""}, "bad_request"),
        ({"client_id": "a" * 65}, "bad_request"),
        ({"client_id": "a b"}, "bad_request"),
        ({"client_id": "ä"}, "bad_request"),
        ({"client_id": "a\0"}, "bad_request"),
        ({"client_id": "a\n"}, "bad_request"),
        ({"reply_to": "a"}, "bad_request"),
        ({"reply_to": _STRANGE.upper().replace("0", "A")}, "bad_request"),
        ({"to": "nobody-of-that-name"}, "not_found"),
        ({"to": ""}, "not_found"),
        ({"to": "a\0b"}, "not_found"),
        ({"to": "'; DROP TABLE messaging_message; --"}, "not_found"),
        ({"to": "ANA"}, "bad_request"),
        ({"to": None}, "bad_request"),
        ({"conversation": _STRANGE}, "bad_request"),
        ({"to": None, "conversation": _STRANGE}, "not_found"),
        ({"to": None, "conversation": "a"}, "not_found"),
        ({"to": None, "conversation": ""}, "not_found"),
        ({"to": None, "conversation": "a\0b"}, "not_found"),
    ],
    ids=lambda value: ascii(value)[:60],
)
async def test_a_send_that_may_not_be_is_refused_and_appends_nothing(
    system: System, pair: tuple[Client, Person], ana: Person, change: dict[str, str | None], code: str
) -> None:
    client, bob = pair
    size = system.log.size()
    body = {"to": bob.username, "client_id": uuid7(time.time_ns() // 1_000_000), "content": "a"} | change
    if body["to"] == "ANA":
        body["to"] = ana.username.upper()
    refusal = await client.request("send", body)
    assert (refusal["err"]["code"], refusal["err"]["temporary"]) == (code, False)
    await client.send("last", to=bob.username)
    assert system.log.size() == size + 1


@pytest.mark.parametrize(
    "content", ["a" * 4_000, "🎉" * 4_000, "\t\r\n", " ", "\u200b\ufeff\u2028\ufffd", "\u200fעברית"]
)
async def test_text_within_the_limits_arrives_as_it_was_written(
    gateway_a: GatewayProcess, connect: Open, pair: tuple[Client, Person], content: str
) -> None:
    client, bob = pair
    receiver = await connect(gateway_a, bob)
    await client.send(content, to=bob.username)
    await receiver.received(content)


async def test_a_conversation_of_others_is_not_found(
    system: System, gateway_a: GatewayProcess, connect: Open, pair: tuple[Client, Person], carol: Person
) -> None:
    client, bob = pair
    receiver, stranger = await connect(gateway_a, bob), await connect(gateway_a, carol)
    await client.send("ours", to=bob.username)
    await receiver.received("ours")
    size = system.log.size()
    foreign = await stranger.send("mine too?", conversation=receiver.history.messages[0]["conversation"])
    assert foreign.code == "not_found"
    await client.send("last", to=bob.username)
    assert system.log.size() == size + 1
