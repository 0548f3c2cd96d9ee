"""Holds every frame that a test sees to the AsyncAPI document: nothing goes over a socket that it does not describe."""

import functools
import json
from typing import Any

from jsonschema_rs import Draft7Validator

from klatsch.gateway.language.asyncapi.document import async_document
from klatsch.gateway.language.ops import OPS, BadFrame, decode_frame
from klatsch.records.kind import Kinds
from klatsch.records.kinds import KINDS


def check_received(frame: Any, kinds: Kinds = KINDS) -> None:
    """Fails unless the document describes exactly this frame of the server's, with no field more."""
    name = _name_of(frame, kinds)
    errors = [
        f"{error.instance_path}: {error.message}" for error in _validator(name, kinds, closed=True).iter_errors(frame)
    ]
    assert not errors, f"not as {name} in docs/asyncapi.yaml: {errors} in {frame}"


def check_written(raw: str | bytes) -> None:
    """Fails when the server would take this frame of a client's and the document does not describe it."""
    if isinstance(raw, str) and is_taken(raw):
        assert is_described(json.loads(raw)), f"taken, and not as in docs/asyncapi.yaml: {raw}"


def is_taken(text: str) -> bool:
    """Returns whether the server takes a frame for an operation."""
    try:
        decode_frame(text)
    except BadFrame:
        return False
    return True


def is_described(frame: Any) -> bool:
    """Returns whether the document has such a frame of a client's; fields that it does not know are allowed."""
    op = frame.get("op") if isinstance(frame, dict) else None
    names = {one.name: one.message_name for one in OPS}
    return op in names and _validator(names[op], KINDS, closed=False).is_valid(frame)


def check_payload(name: str, payload: Any) -> None:
    """Fails unless the payload is as the message of that name says."""
    _validator(name, KINDS, closed=True).validate(payload)


def _name_of(frame: Any, kinds: Kinds) -> str:
    assert isinstance(frame, dict), f"no object: {frame}"
    assert len(frame.keys() & {"op", "re", "t"}) == 1, f"not exactly one of op, re and t: {frame}"
    if "t" in frame:
        name = str(frame["t"])
    elif "err" in frame:
        name = "err"
    else:
        name = _answer_name(frame["ok"])
    message = _document(kinds)["components"]["messages"].get(name)
    assert message is not None, f"not in docs/asyncapi.yaml: {frame}"
    return name


def _answer_name(body: Any) -> str:
    marks = dict.fromkeys(("edited_at", "deleted_at", "at"), "change_ok")
    marks |= {"position": "send_ok", "read": "mark_ok", "online": "presence_ok", "user": "hello_ok"}
    return next((name for field, name in marks.items() if field in body), "open_ok")


@functools.cache
def _document(kinds: Kinds) -> dict[str, Any]:
    return async_document(kinds)


@functools.cache
def _validator(name: str, kinds: Kinds, *, closed: bool) -> Draft7Validator:
    """Returns a validator of draft 7, which AsyncAPI 3.0's schemas extend; closed ones allow no other field.

    The validator is compiled: in Python a frame costs up to 0.9 ms, and tests see many thousands.
    """
    document = _document(kinds)
    schemas = {key: _closed(schema) if closed else schema for key, schema in document["components"]["schemas"].items()}
    payload = document["components"]["messages"][name]["payload"]
    # In draft 7 a `$ref` hides its neighbours: here the components.
    return Draft7Validator({"allOf": [payload], "components": {"schemas": schemas}})


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    return schema if "properties" not in schema else {"additionalProperties": False, **schema}
