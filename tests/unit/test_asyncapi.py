"""docs/asyncapi.yaml says what the code does: every message in it is made by the code, every code has its meaning."""

import json
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from klatsch.core.errors import ERRORS, BadRequest, FieldError, KlatschError, RateLimited
from klatsch.gateway.language import protocol
from klatsch.gateway.language.asyncapi.document import async_document, async_yaml
from klatsch.gateway.language.ops import OPS
from klatsch.gateway.language.protocol import Close
from klatsch.records.kinds import KINDS, MEMBERS_CHANGED, MESSAGE, MESSAGE_CHANGED
from klatsch.records.values import encode
from tests.support.documents import asyncapi_errors
from tests.support.frames import check_payload, check_received, check_written, is_described, is_taken
from tests.support.records import ANA, BOB, added, change_of, direct, in_group, posted

DOCUMENT = async_document()
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
TOKEN = "1.0123456789abcdef.0:7"
frame_ids = st.integers() | st.text(max_size=64)
texts = st.text(max_size=40)


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        here = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return here + [found for part in value.values() for found in references(part)]
    return [found for part in value for found in references(part)] if isinstance(value, list) else []


def resolve(reference: str) -> Any:
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_the_file_is_as_the_code_says() -> None:
    call_command("asyncapi", "--check")
    assert yaml.safe_load((settings.BASE_DIR / "docs" / "asyncapi.yaml").read_text()) == DOCUMENT
    assert "&id" not in async_yaml()


def test_it_is_asyncapi_3_0_and_every_reference_in_it_leads_somewhere() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    found = references(DOCUMENT)
    assert found
    assert all(resolve(reference) for reference in found)


def test_the_json_schema_of_asyncapi_takes_it() -> None:
    assert asyncapi_errors(DOCUMENT) == []


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_says_what_it_is_and_has_an_example_that_fits(name: str) -> None:
    message = MESSAGES[name]
    assert message["title"]
    assert message["summary"]
    [example] = message["examples"]
    check_payload(name, example["payload"])
    assert example.keys() >= {"headers"} & message.keys()


def test_every_operation_of_a_client_has_its_answers() -> None:
    asked = {name: op for name, op in DOCUMENT["operations"].items() if op["action"] == "receive"}
    assert asked.keys() == {op.name for op in OPS}
    expected = {op.name: op.answer for op in OPS}
    for name, operation in asked.items():
        answers = [reference["$ref"].rpartition("/")[2] for reference in operation["reply"]["messages"]]
        assert answers == [*filter(None, [expected[name]]), "err"]


def test_every_record_is_a_message_of_the_topic() -> None:
    said = {MESSAGES[name]["payload"]["$ref"].rpartition("/")[2] for name in DOCUMENT["channels"]["events"]["messages"]}
    assert said == {kind.struct.__name__ for kind in KINDS}


def test_every_close_code_and_every_error_code_has_its_meaning() -> None:
    socket = DOCUMENT["channels"]["socket"]
    assert {row["code"] for row in socket["x-close-codes"]} == set(Close)
    assert {row["code"] for row in socket["x-error-codes"]} == {kind.code for kind in ERRORS} - {"not_authenticated"}
    assert all(row["means"].endswith(".") for row in (*socket["x-close-codes"], *socket["x-error-codes"]))
    assert {row["code"] for row in socket["x-close-codes"] if row["client"].startswith("stop")} == {
        *(4400, 4401, 4403, 4429)
    }


@given(frame_ids, st.sampled_from(ERRORS), st.none() | st.floats(0, 60), texts)
def test_every_refusal_is_as_the_document_says(
    re: int | str, kind: type[KlatschError], retry_after: float | None, detail: str
) -> None:
    if kind.code != "not_authenticated":
        error = kind(detail, fields=(FieldError("content", "empty", detail),), retry_after=retry_after)
        check_received(json.loads(protocol.err(re, error)))


def test_what_the_server_says_is_as_the_document_says() -> None:
    said = posted(direct(ANA, BOB), "hi", client_id="one")
    for frame in (
        protocol.ok_sent("a", said.id, "1:0:7", duplicate=True),
        protocol.err(None, BadRequest("No.")),
        protocol.err(1, RateLimited("Too fast.", retry_after=0.1)),
        MESSAGE.frame("1:0:7", encode(said)),
        MESSAGE.frame("1:0:7", encode(posted(in_group(BOB), "hi", client_id="one", reply_to=said.id))),
        MESSAGE_CHANGED.frame("1:0:8", change_of(said, "", position="1:0:7").value),
        MEMBERS_CHANGED.frame("1:0:7", added(BOB).value),
        protocol.push_mark(TOKEN),
        protocol.push_reset([said.conversation], "archive_behind", TOKEN),
    ):
        check_received(json.loads(frame))


@pytest.mark.parametrize(
    "frame",
    [
        "text",
        {},
        {"t": "mark", "re": 1, "resume": TOKEN},
        {"t": "mark", "resume": "x"},
        {"t": "mark", "resume": TOKEN, "more": 1},
        {"t": "dance"},
        {"re": 1, "ok": {"id": "x", "position": "1:0:7", "duplicate": False}},
        {"re": 1, "err": {"code": "nonsense", "detail": "No.", "temporary": False}},
        {"re": 1, "err": {"code": "conflict", "detail": "No."}},
    ],
    ids=str,
)
def test_what_the_document_does_not_describe_fails_the_test_that_sees_it(frame: Any) -> None:
    with pytest.raises(AssertionError):
        check_received(frame)


bodies = st.fixed_dictionaries(
    {"content": texts, "client_id": texts},
    optional={name: st.none() | texts | st.integers() for name in ("conversation", "to", "reply_to", "mood")},
)
written = st.fixed_dictionaries(
    {"id": frame_ids | st.none() | st.floats(allow_nan=False), "op": st.sampled_from(["hello", "send", "dance"])},
    optional={"d": bodies | st.fixed_dictionaries({}, optional={"resume": st.none() | texts | st.integers()})},
)


@given(written)
def test_the_server_takes_just_what_the_document_describes(frame: dict[str, Any]) -> None:
    text = json.dumps(frame)
    check_written(text)
    if not isinstance(frame["id"], float):  # 1.0 is a whole number to JSON Schema, and none to msgspec
        assert is_taken(text) == is_described(frame)
