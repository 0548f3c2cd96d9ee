"""The WebSocket's language, `klatsch.v1`: bytes and values, no I/O. protocol.md is its specification."""

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET

from klatsch.core.errors import BadRequest, KlatschError, UnknownOp
from klatsch.gateway.language.frames import Err, FrameId, Refusal, Reset, ResetBody, WrongField

SUBPROTOCOL: Final = "klatsch.v1"
TICKET_PREFIX: Final = "ticket."
FRAME_BYTES_MOST: Final = 65_536
UNANSWERED_MOST: Final = 64
MALFORMED_MOST: Final = 10
HELLO_DEADLINE_S: Final = 10.0


class Close(IntEnum):
    """Why a socket was closed: 43xx means resume, 44xx means stop."""

    DRAINING = 4301
    SLOW = 4302
    LOG_UNAVAILABLE = 4303
    NOT_READY = 4304
    MALFORMED = 4400
    NOT_AUTHENTICATED = 4401
    FORBIDDEN = 4403
    FLOODING = 4429


class HelloBody(msgspec.Struct, frozen=True):
    resume: Annotated[str, msgspec.Meta(max_length=16_384)] | None = None


class Hello(msgspec.Struct, frozen=True, tag_field="op", tag="hello"):
    id: FrameId
    d: HelloBody = HelloBody()


class SendBody(msgspec.Struct, frozen=True):
    content: str
    client_id: str
    conversation: str | None = None
    to: str | None = None
    reply_to: str | None = None


class Send(msgspec.Struct, frozen=True, tag_field="op", tag="send"):
    id: FrameId
    d: SendBody


class _Envelope(msgspec.Struct):
    id: FrameId | None = None
    op: Any = None


ClientFrame = Hello | Send
_OPS: Final = {"hello", "send"}
_decode: Callable[[str], ClientFrame] = msgspec.json.Decoder(ClientFrame).decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


class BadFrame(Exception):
    """A frame that is answered `err`; `re` is its id where that could be read."""

    def __init__(self, re: int | str | None, error: KlatschError) -> None:
        super().__init__(error.detail)
        self.re = re
        self.error = error


def decode_frame(text: str | None) -> ClientFrame:
    """Raises BadFrame for what is not exactly one known operation, keys given twice and no text (None) included."""
    if text is None:
        raise BadFrame(None, BadRequest("A frame is text."))
    try:
        frame = _decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise _refusal(text, error) from error
    # A key given twice needs more colons than the fields have; most texts have none of their own.
    if text.count(":") > _colons(frame):
        _check_keys_once(text.encode(), frame.id)
    return frame


def _colons(frame: ClientFrame) -> int:
    """How many a text without colons of its own has at least, for what it brought."""
    if isinstance(frame, Send):
        body = frame.d
        return 5 + (body.conversation is not None) + (body.to is not None) + (body.reply_to is not None)
    return 2 if frame.d.resume is None else 4


def _check_keys_once(text: bytes, re: int | str) -> None:
    body = _fields_once(text, re).get("d")
    if body is not None:
        _fields_once(bytes(body), re)


def _fields_once(text: bytes, re: int | str) -> dict[str, msgspec.Raw]:
    """The fields of an object that was decoded before, as they stand in its text.

    Each has one colon and those of its value. To count them is as fast as decoding; objects made in Python of a text
    that is full of small ones took 6 ms. So what stands within fields that are not ours is not looked at.
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
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return BadFrame(None, BadRequest("A frame is a JSON object with an id and an op."))
    if isinstance(envelope.op, str) and envelope.op not in _OPS:
        return BadFrame(envelope.id, UnknownOp("There is no such op."))
    return BadFrame(envelope.id, BadRequest(f"The frame does not fit: {error}"))


# What the server says. Answers and pushes are bytes of JSON; `wire` makes them a WebSocket text frame.


_TWO_BYTES_FROM: Final = 126
_EIGHT_BYTES_FROM: Final = 65_536


def wire(payload: bytes) -> bytes:
    """One unmasked WebSocket text frame (RFC 6455, 5.2): the same bytes for every socket, so made once for all."""
    length = len(payload)
    if length < _TWO_BYTES_FROM:
        return b"\x81" + length.to_bytes(1, "big") + payload
    if length < _EIGHT_BYTES_FROM:
        return b"\x81\x7e" + length.to_bytes(2, "big") + payload
    return b"\x81\x7f" + length.to_bytes(8, "big") + payload


def unwire(frames: bytes) -> Iterator[bytes]:
    """The payloads of whole frames that `wire` made."""
    at = 0
    while at < len(frames):
        length, at = frames[at + 1], at + 2
        if length >= _TWO_BYTES_FROM:
            digits = 2 if length == _TWO_BYTES_FROM else 8
            length, at = int.from_bytes(frames[at : at + digits], "big"), at + digits
        yield frames[at : at + length]
        at += length


def frame_id(re: int | str | None) -> bytes:
    """A frame's id as it stands in its answer."""
    return b"%d" % re if type(re) is int else _encode(re)


def ok_sent(re: int | str, message_id: str, position: str, *, duplicate: bool) -> bytes:
    return b'{"re":%b,"ok":{"id":"%b","position":"%b","duplicate":%b}}' % (
        frame_id(re),
        message_id.encode(),
        position.encode(),
        b"true" if duplicate else b"false",
    )


def ok(re: int | str, body: dict[str, Any]) -> bytes:
    return _encode({"re": re, "ok": body})


def err(re: int | str | None, error: KlatschError) -> bytes:
    refusal = Refusal(
        code=error.code,  # type: ignore[arg-type]  # test_asyncapi.py: those of all our errors are in the list
        detail=error.detail,
        temporary=error.temporary,
        retry_after=UNSET if error.retry_after is None else error.retry_after,
        errors=[WrongField(f.field, f.code, f.detail) for f in error.fields] or UNSET,
    )
    return _encode(Err(re, refusal))


_NEW_MESSAGE_ENDS: Final = b',"edited_at":null,"deleted":false,"reactions":{}}}'


def push_message(position: str, value: bytes) -> bytes:
    """A new message as it is pushed: the record's value verbatim, between its position and what all new ones share."""
    place = position.encode()
    return b'{"t":"message","pos":"%b","d":{"position":"%b","changed":"%b",%b%b' % (
        place,
        place,
        place,
        value[1:-1],
        _NEW_MESSAGE_ENDS,
    )


def push_changed(position: str, value: bytes) -> bytes:
    """A message as it is from that position on; where it stands itself is in the value."""
    place = position.encode()
    return b'{"t":"message_changed","pos":"%b","d":{"changed":"%b",%b}' % (place, place, value[1:])


def push_members(position: str, value: bytes) -> bytes:
    return b'{"t":"members","pos":"%b","d":%b}' % (position.encode(), value)


def push_mark(token: str) -> bytes:
    return b'{"t":"mark","resume":"%b"}' % token.encode()


def push_state(body: bytes) -> bytes:
    return b'{"t":"state","d":%b}' % body


_RESET_MOST: Final = 1_000
"""Conversations in one frame: 39 kB."""


def push_resets(conversations: list[str], why: str, at_least: str) -> list[bytes]:
    """As many frames as it takes to name them all."""
    return [
        _encode(Reset(ResetBody(conversations[first : first + _RESET_MOST], why, at_least)))  # type: ignore[arg-type]  # as for `code` above
        for first in range(0, len(conversations) or 1, _RESET_MOST)
    ]
