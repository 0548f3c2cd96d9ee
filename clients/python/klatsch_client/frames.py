"""The frames of `klatsch.v1` as values, and what a close code asks for. No I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from klatsch_client import deltas
from klatsch_client.deltas import Delta
from klatsch_client.drafts import Change, Draft, Marking, Unsent, to_data
from klatsch_client.errors import NotAuthenticated, Stopped
from klatsch_client.events import Invitation, Marker, Members, Presence, Reset, Typing
from klatsch_client.messages import Message
from klatsch_client.positions import Position, Token
from klatsch_client.reading import flag, number, place_or_none, text, texts, whole

SUBPROTOCOL: Final = "klatsch.v1"
# generated: close codes
_STOP: Final = frozenset({1002, 1003, 1007, 1008, 1009, *range(4400, 4500)})
_NOT_AUTHENTICATED: Final = 4401
# end


@dataclass(frozen=True, slots=True)
class Welcome:
    """The answer to `hello`; `now_ms` is the server's clock, in milliseconds since 1970."""

    user: str
    resumed: bool
    heartbeat_s: float
    now_ms: int
    unanswered_most: int
    frame_bytes_most: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """`ok` to a send or a change; `id` is the message's or the change's.

    `mentions` and `at`, the server's time of a change, are None where they are not told.
    """

    re: int | str
    id: str
    position: Position
    duplicate: bool
    mentions: tuple[str, ...] | None = None
    at: str | None = None


@dataclass(frozen=True, slots=True)
class MarkedUpTo:
    """`ok` to `mark`: the person's marker as it is now."""

    re: int | str
    delivered: Position | None
    read: Position | None


@dataclass(frozen=True, slots=True)
class Shown:
    """`ok` to `open`, or to `presence`, which says who is online."""

    re: str
    presence: Presence | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """`err` to anything; `re` is None where the server could not read which.

    `changed` is the position of the edit that a refused edit had not seen.
    """

    re: int | str | None
    code: str
    detail: str
    temporary: bool
    retry_after_s: float | None
    changed: Position | None = None


@dataclass(frozen=True, slots=True)
class ResumeMark:
    """The push `mark`: from here on this token counts. It is no read mark of a person's (`Marking`)."""

    token: str


PushBody = Message | Delta | Members | Marker | Invitation | ResumeMark | Reset | Typing | Presence


@dataclass(frozen=True, slots=True)
class Push:
    """A frame that is delivered in order. `position` is None when it belongs to no record of the log."""

    what: PushBody
    position: Position | None = None


Answer = Accepted | MarkedUpTo | Shown | Rejected
Frame = Welcome | Answer | Push
_TIMES: Final = ("edited_at", "deleted_at", "at")
OPEN: Final = "open"
PRESENCE: Final = "presence"
"""Operations, and the frame ids under which this client asks for them."""


class Garbled(Exception):
    """A frame that is not as the protocol says. `re` is what it answers, where that much can be read."""

    def __init__(self, detail: str, re: int | str | None = None) -> None:
        super().__init__(detail)
        self.re = re


def hello(frame_id: str, resume: str | None) -> str:
    return _text({"id": frame_id, "op": "hello", "d": {"resume": resume}})


def request(frame_id: int | str, op: str, body: Mapping[str, Any]) -> str:
    return _text({"id": frame_id, "op": op, "d": body})


def typing(conversation: str, *, on: bool) -> str:
    """Returns the frame that signals typing; it has no answer."""
    return _text({"op": "typing", "d": {"conversation": conversation, "on": on}})


def write(frame_id: int, draft: Unsent) -> str:
    """Returns the frame of a send, a change or a mark."""
    body = to_data(draft)
    match draft:
        case Draft():
            op = "send"
        case Change():
            op = body.pop("op")
            body.pop("conversation")
        case Marking():
            op = "mark"
    return request(frame_id, op, body)


def decode(said: str | bytes) -> Frame | None:
    """Decodes a frame. Returns None for an unknown `t` and ignores unknown fields; raises Garbled."""
    frame: Any = None
    try:
        frame = json.loads(said)
        if "t" in frame:
            return _push(frame)
        if "err" in frame:
            return _rejected(frame)
        return _accepted(_re(frame["re"]), frame["ok"])
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        answered = frame.get("re") if isinstance(frame, dict) else None
        why = f"{type(error).__name__}: {error}"
        raise Garbled(why, answered if isinstance(answered, int | str) else None) from error


def _re(value: Any) -> int | str:
    if not isinstance(value, int | str):
        raise TypeError("re is neither a number nor a text")
    return value


def _accepted(re: int | str, body: Mapping[str, Any]) -> Welcome | Accepted | MarkedUpTo | Shown:
    if isinstance(re, str) and re in {OPEN, PRESENCE}:
        return Shown(re, Presence.parse(body, whole=True) if re == PRESENCE else None)
    if "delivered" in body or "read" in body:
        return MarkedUpTo(re, place_or_none(body, "delivered"), place_or_none(body, "read"))
    if "heartbeat" not in body:
        return _standing(re, body)
    limits = body["limits"]
    return Welcome(
        user=text(body, "user"),
        resumed=flag(body, "resumed"),
        heartbeat_s=number(body, "heartbeat"),
        now_ms=round(datetime.fromisoformat(text(body, "now")).timestamp() * 1000),
        unanswered_most=max(1, whole(limits, "unanswered")),
        frame_bytes_most=whole(limits, "frame"),
    )


def _standing(re: int | str, body: Mapping[str, Any]) -> Accepted:
    mentions = texts(body["mentions"], "mentions") if "mentions" in body else None
    at = next((text(body, name) for name in _TIMES if name in body), None)
    position = Position.parse(text(body, "position"))
    return Accepted(re, text(body, "id"), position, flag(body, "duplicate"), mentions, at)


def _rejected(frame: Mapping[str, Any]) -> Rejected:
    body = frame["err"]
    return Rejected(
        None if frame.get("re") is None else _re(frame["re"]),
        text(body, "code"),
        text(body, "detail") if "detail" in body else "",
        flag(body, "temporary"),
        None if body.get("retry_after") is None else number(body, "retry_after"),
        place_or_none(body, "changed"),
    )


def _push(frame: Mapping[str, Any]) -> Push | None:
    at = place_or_none(frame, "pos")
    what: PushBody
    match frame["t"]:
        case "message" | "message_changed":
            what = Message.read(frame["d"])
        case "marker":
            what = Marker.parse(frame["d"], at)
        case "members":
            what = Members.read(frame["d"])
        case "invitation":
            what = Invitation.read(frame["d"])
        case "state":
            return _state(frame["d"])
        case kind if kind in deltas.KINDS:
            what = deltas.read(kind, frame["d"], Position.parse(text(frame, "pos")))
        case _:
            return _signal(frame)
    return Push(what, at)


def _signal(frame: Mapping[str, Any]) -> Push | None:
    match frame["t"]:
        case "typing":
            body = frame["d"]
            on = flag(body, "on") if "on" in body else True
            return Push(Typing(text(body, "conversation"), text(body, "user"), on))
        case "presence":
            return Push(Presence.parse(frame["d"], whole=False))
        case _:
            return _token(frame)


def _token(frame: Mapping[str, Any]) -> Push | None:
    match frame["t"]:
        case "mark":
            token = text(frame, "resume")
            Token.parse(token)
            return Push(ResumeMark(token))
        case "reset":
            body = frame["d"]
            at_least = text(body, "at_least")
            Token.parse(at_least)
            return Push(Reset(texts(body["conversations"], "conversations"), text(body, "why"), at_least))
        case _:
            return None


def _state(body: Mapping[str, Any]) -> Push | None:
    match body["kind"]:
        case "message":
            return Push(Message.read(body))
        case "members":
            return Push(Members.read({**body, "kind": None}))  # its `kind` says what state it is
        case "marker":
            return Push(Marker.parse(body))
        case "invitation":
            return Push(Invitation.read(body))
        case _:
            return None


def _text(frame: Mapping[str, Any]) -> str:
    """Returns the frame's text; raises UnicodeEncodeError for a lone surrogate, TypeError for what JSON cannot hold."""
    said = json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
    said.encode()
    return said


def check_close(code: int, reason: str) -> None:
    """Raises Stopped where a close code means stop; for all others the client is to resume."""
    if code == _NOT_AUTHENTICATED:
        raise NotAuthenticated(reason or "not authenticated", code)
    if code in _STOP:
        raise Stopped(reason or "closed by the server", code)
