"""The WebSocket protocol `klatsch.v1`: bytes and values, no I/O. protocol.md is its specification."""

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any, Final, Self

import msgspec
from msgspec import UNSET

from klatsch.core.errors import BadRequest, Forbidden, KlatschError, NotAuthenticated, RateLimited, Unavailable
from klatsch.gateway.language.frames import Err, Refusal, Reset, ResetBody, WrongField

SUBPROTOCOL: Final = "klatsch.v1"
TICKET_PREFIX: Final = "ticket."
FRAME_BYTES_MOST: Final = 65_536
UNANSWERED_MOST: Final = 64
MALFORMED_MOST: Final = 10
HELLO_DEADLINE_S: Final = 10.0


STOP_FROM: Final = 4400
STOP_BEFORE: Final = 4500
STOP_STANDARD: Final = (1002, 1003, 1007, 1008, 1009)
"""The codes of RFC 6455 after which a client stops."""


class Close(IntEnum):
    """Close codes: 43xx means resume, 44xx means stop.

    Each member is a row of the table that documents and clients are generated from: its number, its error, and its
    meaning for clients.
    """

    error: type[KlatschError] | None
    means: str

    def __new__(cls, number: int, error: type[KlatschError] | None, means: str) -> Self:
        close = int.__new__(cls, number)
        close._value_ = number
        close.error = error
        close.means = means
        return close

    DRAINING = 4301, None, "The gateway is draining."
    SLOW = 4302, None, "Too slow: the outbox was full, or the client took nothing for too long."
    LOG_UNAVAILABLE = 4303, None, "The log is not available."
    NOT_READY = 4304, Unavailable, "The gateway is not ready, or there was no `hello` in time."
    MALFORMED = 4400, BadRequest, "No `klatsch.v1` was offered, or ten malformed frames in a row."
    NOT_AUTHENTICATED = 4401, NotAuthenticated, "There is no valid credential, or it has ended."
    FORBIDDEN = 4403, Forbidden, "This page's origin may not use the session cookie."
    FLOODING = (
        4429,
        RateLimited,
        "Rate limit: more frames, bytes, fragments or sockets than a connection or a person may have.",
    )

    @property
    def client(self) -> str:
        """Returns the client's reaction."""
        return "stop: fix something first" if self >= STOP_FROM else "reconnect with jitter and resume"


_encode = msgspec.json.Encoder().encode


# Frames of the server. Answers and pushes are JSON bytes; `wire` makes them a WebSocket text frame.


_TWO_BYTES_FROM: Final = 126
_EIGHT_BYTES_FROM: Final = 65_536


def wire(payload: bytes) -> bytes:
    """Returns one unmasked WebSocket text frame (RFC 6455, 5.2): equal for every socket, so made once for all."""
    length = len(payload)
    if length < _TWO_BYTES_FROM:
        return b"\x81" + length.to_bytes(1, "big") + payload
    if length < _EIGHT_BYTES_FROM:
        return b"\x81\x7e" + length.to_bytes(2, "big") + payload
    return b"\x81\x7f" + length.to_bytes(8, "big") + payload


def unwire(frames: bytes) -> Iterator[bytes]:
    """Yields the payloads of whole frames that `wire` made."""
    at = 0
    while at < len(frames):
        length, at = frames[at + 1], at + 2
        if length >= _TWO_BYTES_FROM:
            digits = 2 if length == _TWO_BYTES_FROM else 8
            length, at = int.from_bytes(frames[at : at + digits], "big"), at + digits
        yield frames[at : at + length]
        at += length


def frame_id(re: int | str | None) -> bytes:
    """Returns a frame's id as it stands in its answer."""
    return b"%d" % re if type(re) is int else _encode(re)


def ok_sent(re: int | str, message_id: str, position: str, *, duplicate: bool, told: bytes = b"") -> bytes:
    """Returns the answer to a send or a change. `told` is `SentMessage.told`, JSON of further fields."""
    return b'{"re":%b,"ok":{"id":"%b","position":"%b","duplicate":%b%b}}' % (
        frame_id(re),
        message_id.encode(),
        position.encode(),
        b"true" if duplicate else b"false",
        told,
    )


def ok(re: int | str, body: dict[str, Any]) -> bytes:
    return _encode({"re": re, "ok": body})


def err(re: int | str | None, error: KlatschError) -> bytes:
    refusal = Refusal(
        code=error.code,
        detail=error.detail,
        temporary=error.temporary,
        retry_after=UNSET if error.retry_after is None else error.retry_after,
        errors=[WrongField(f.field, f.code, f.detail) for f in error.fields] or UNSET,
        changed=error.changed or UNSET,
    )
    return _encode(Err(re, refusal))


def push_mark(token: str) -> bytes:
    return b'{"t":"mark","resume":"%b"}' % token.encode()


def push_state(body: bytes) -> bytes:
    return b'{"t":"state","d":%b}' % body


def push_typing(conversation: str, user: str, *, on: bool) -> bytes:
    return b'{"t":"typing","d":{"conversation":%b,"user":%b,"on":%b}}' % (
        _encode(conversation),
        _encode(user),
        b"true" if on else b"false",
    )


def push_presence(online: Sequence[str], offline: Sequence[str]) -> bytes:
    return b'{"t":"presence","d":{"online":%b,"offline":%b}}' % (_encode(online), _encode(offline))


RESET_MOST: Final = 1_000
"""The conversations in one frame: 39 kB."""


def push_reset(conversations: list[str], why: str, at_least: str) -> bytes:
    """Returns the frame of at most `RESET_MOST` conversations."""
    return _encode(Reset(ResetBody(conversations, why, at_least)))  # type: ignore[arg-type]  # as for `code` above
