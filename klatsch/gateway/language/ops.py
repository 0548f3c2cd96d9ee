"""The clients' operations in one table, and the decoder made from it. Bytes in, values or refusals out.

An operation is one row of `OPS`, and one method of `gateway.connection.ChatConnection` that `Op.handler` names.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Union, get_type_hints

import msgspec

from klatsch.core.errors import BadRequest, InvalidContent, KlatschError, UnknownOp
from klatsch.gateway.language.frames import FrameId
from klatsch.gateway.language.requests import (
    ClientFrame,
    DeleteFrame,
    EditFrame,
    Hello,
    MarkFrame,
    OpenFrame,
    PinFrame,
    PresenceFrame,
    ReactFrame,
    Send,
    TypingFrame,
)


@dataclass(frozen=True, slots=True)
class Op:
    """An operation: the struct of its frame, the name of the frame that answers it, and an example of its body.

    `handler` is the method of `gateway.connection.ChatConnection` that handles it. `message` is the frame's name in
    documents, where a push has the operation's own name. Without an `answer`, only a refusal is answered.
    """

    frame: type[ClientFrame]
    title: str
    answer: str | None
    example: dict[str, Any]
    handler: str
    has_own_rate: bool = False
    """Counts as a message or a signal, not as a request."""
    message: str = ""

    @property
    def name(self) -> str:
        return str(self.frame.__struct_config__.tag)

    @property
    def message_name(self) -> str:
        return self.message or self.name


_CONVERSATION: Final = "e9a7a611-f6cb-546c-be68-1229301b6793"
_PLACE: Final = "1:3:91830"
_CHANGED: Final[dict[str, Any]] = {
    "message": "31c39c56-183b-5372-8f6a-6b78314369f9",
    "position": _PLACE,
    "client_id": "019f8a3c-7f00-7abc-9def-0123456789ab",
}
OPS: Final[tuple[Op, ...]] = (
    Op(
        Hello,
        handler="on_hello",
        title="Hello",
        answer="hello_ok",
        example={"resume": "1.0123456789abcdef.0:0.1:1.2:2.3:3.4:4.5:5.6:6.7:7.8:8.9:9.10:10.11:11"},
    ),
    Op(
        Send,
        handler="on_send",
        has_own_rate=True,
        title="Send a message",
        answer="send_ok",
        example={
            "conversation": _CONVERSATION,
            "client_id": "019f8a3c-5f00-7abc-9def-0123456789ab",
            "content": "hi",
        },
    ),
    Op(
        EditFrame,
        handler="on_change",
        has_own_rate=True,
        title="Edit a message",
        answer="change_ok",
        example=_CHANGED | {"content": "Hi!", "base": _PLACE},
    ),
    Op(
        DeleteFrame,
        handler="on_change",
        has_own_rate=True,
        title="Delete a message",
        answer="change_ok",
        example=_CHANGED,
    ),
    Op(
        ReactFrame,
        handler="on_change",
        has_own_rate=True,
        title="React to a message",
        answer="change_ok",
        example=_CHANGED | {"emoji": "👍", "on": True},
    ),
    Op(
        PinFrame,
        handler="on_change",
        has_own_rate=True,
        title="Pin a message",
        answer="change_ok",
        example=_CHANGED | {"on": True},
    ),
    Op(
        MarkFrame,
        handler="on_mark",
        message="mark_up_to",
        title="Mark as received or read",
        answer="mark_ok",
        example={"conversation": _CONVERSATION, "read": _PLACE},
    ),
    Op(
        OpenFrame,
        handler="on_open",
        title="Name the conversations that you look at",
        answer="open_ok",
        example={"conversations": [_CONVERSATION]},
    ),
    Op(
        TypingFrame,
        handler="on_typing",
        has_own_rate=True,
        message="say_typing",
        title="Tell that you are typing",
        answer=None,
        example={"conversation": _CONVERSATION, "on": True},
    ),
    Op(
        PresenceFrame,
        handler="on_presence",
        message="show_presence",
        title="Name the people whose presence you show",
        answer="presence_ok",
        example={"users": ["bob"]},
    ),
)


class BadFrame(Exception):
    """Raised for a frame that is answered `err`; `re` is its id where that could be read."""

    def __init__(self, re: int | str | None, error: KlatschError) -> None:
        super().__init__(error.detail)
        self.re = re
        self.error = error


class _Envelope(msgspec.Struct):
    id: FrameId | None = None
    op: Any = None


def _most_fields(frame: type[ClientFrame]) -> int:
    """Returns the number of fields of a complete frame, with its tag and its body's fields.

    Optional fields that decode to something else than None are not counted.
    """
    own = msgspec.structs.fields(frame)
    body = msgspec.structs.fields(get_type_hints(frame)["d"])
    is_body_needed = all(field.required for field in own if field.name == "d")
    counted = [field for field in body if field.default is None or (field.required and is_body_needed)]
    return 1 + sum(field.required for field in own) + len(counted)


_NAMES: Final = frozenset(op.name for op in OPS)
_WITH_TEXT: Final = ("send", "edit")
_UNREADABLE: Final = (msgspec.MsgspecError, RecursionError, UnicodeError)
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_MOST_FIELDS: Final = {op.frame: _most_fields(op.frame) for op in OPS}
_astuple = msgspec.structs.astuple
_decode: Callable[[str], ClientFrame] = msgspec.json.Decoder(Union[tuple(op.frame for op in OPS)]).decode  # noqa: UP007 - rows of a table
_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def decode_frame(text: str | None) -> ClientFrame:
    """Returns the frame of one of `OPS`; raises BadFrame for other text, for repeated keys and for binary frames."""
    if text is None:
        raise BadFrame(None, BadRequest("Send text frames only."))
    try:
        frame = _decode(text)
    except _UNREADABLE as error:
        raise _refusal(text, error) from error
    # A key given twice needs more colons than the fields have; most texts have none of their own.
    if text.count(":") > _MOST_FIELDS[type(frame)] - _astuple(frame.d).count(None):
        _check_keys_once(text.encode(), frame.id)
    return frame


def _check_keys_once(text: bytes, re: int | str | None) -> None:
    body = _fields_once(text, re).get("d")
    if body is not None:
        _fields_once(bytes(body), re)


def _fields_once(text: bytes, re: int | str | None) -> dict[str, msgspec.Raw]:
    """Returns the fields of an object as text; raises BadFrame for a repeated key. The text was decoded before.

    Colons are counted: each field has one, besides those of its value. Counting is as fast as decoding, while creating
    Python objects took 6 ms for a text full of small ones. Repeated keys inside unknown fields are therefore not found.
    """
    fields = _decode_fields(text)
    if ":" in "".join(fields):
        raise BadFrame(re, BadRequest("No field has a colon in its name."))
    if text.count(b":") > len(fields) + b"".join(fields.values()).count(b":"):
        raise BadFrame(re, BadRequest("A key is given twice."))
    return fields


def _refusal(text: str, error: Exception) -> BadFrame:
    try:
        envelope = _decode_envelope(text)
    except _UNREADABLE:
        return _refusal_of_unreadable(text)
    if isinstance(envelope.op, str) and envelope.op not in _NAMES:
        return BadFrame(envelope.id, UnknownOp("There is no such op."))
    return BadFrame(envelope.id, BadRequest(f"The frame does not fit: {error}"))


def _refusal_of_unreadable(text: str) -> BadFrame:
    """Refuses a text that msgspec cannot read; names the frame where a lone surrogate is all that is wrong.

    JavaScript writes one as an escape where a program has cut an emoji in two.
    """
    try:
        envelope = _decode_envelope(_SURROGATE.sub(r"\\ufffd", text))
    except _UNREADABLE:
        return BadFrame(None, BadRequest("A frame is a JSON object with an op, and an integer or a string as id."))
    if isinstance(envelope.id, str) and "\ufffd" in envelope.id:
        envelope.id = None
    if envelope.op in _WITH_TEXT:
        return BadFrame(envelope.id, InvalidContent("The text is no valid Unicode: it has half of a surrogate pair."))
    return BadFrame(envelope.id, BadRequest("The frame is no valid Unicode: it has half of a surrogate pair."))
