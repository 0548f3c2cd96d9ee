"""The frames of `klatsch.v1` as values, and what a close code asks for. No I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from klatsch.client.errors import NotAuthenticated, Stopped
from klatsch.client.events import Draft, Members, Message, Reset, Typing
from klatsch.client.positions import Position, Token

SUBPROTOCOL: Final = "klatsch.v1"
_STOP_STANDARD: Final = frozenset({1002, 1003, 1007, 1008, 1009})
_STOP_OURS: Final = range(4400, 4500)
_NOT_AUTHENTICATED: Final = 4401


@dataclass(frozen=True, slots=True)
class Welcome:
    """The answer to `hello`; `now` is the server's clock in RFC 3339."""

    user: str
    resumed: bool
    heartbeat_s: float
    now: str
    unanswered_most: int
    frame_bytes_most: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """`ok` to a send."""

    re: int | str
    id: str
    position: Position
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Rejected:
    """`err` to anything; `re` is None where the server could not read which."""

    re: int | str | None
    code: str
    detail: str
    temporary: bool
    retry_after_s: float | None


@dataclass(frozen=True, slots=True)
class Mark:
    """From here on this token counts."""

    token: str


@dataclass(frozen=True, slots=True)
class Push:
    """What is to be told in order; `position` is None for what is no record of the log."""

    what: Message | Members | Mark | Reset | Typing
    position: Position | None = None


Frame = Welcome | Accepted | Rejected | Push


class Garbled(Exception):
    """A frame that is not as the protocol says."""


def hello(frame_id: str, resume: str | None) -> str:
    return _text({"id": frame_id, "op": "hello", "d": {"resume": resume}})


def send(frame_id: int, draft: Draft) -> str:
    """The frame of a send; raises UnicodeEncodeError for a lone surrogate."""
    body = {"client_id": draft.client_id, "content": draft.content}
    optional = {"to": draft.to, "conversation": draft.conversation, "reply_to": draft.reply_to}
    body |= {name: value for name, value in optional.items() if value is not None}
    text = _text({"id": frame_id, "op": "send", "d": body})
    text.encode()
    return text


def decode(text: str | bytes) -> Frame | None:
    """What a frame says; None for an unknown `t`, as unknown fields are not looked at. Raises Garbled."""
    try:
        frame = json.loads(text)
        if "t" in frame:
            return _push(frame)
        if "err" in frame:
            return _rejected(frame)
        return _accepted(frame["re"], frame["ok"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Garbled(f"{type(error).__name__}: {error}") from error


def _accepted(re: int | str, body: Mapping[str, Any]) -> Welcome | Accepted:
    if "heartbeat" not in body:
        return Accepted(re, body["id"], Position.parse(body["position"]), body["duplicate"])
    limits = body["limits"]
    return Welcome(
        user=body["user"],
        resumed=body["resumed"],
        heartbeat_s=float(body["heartbeat"]),
        now=body["now"],
        unanswered_most=limits["unanswered"],
        frame_bytes_most=limits["frame"],
    )


def _rejected(frame: Mapping[str, Any]) -> Rejected:
    body = frame["err"]
    retry_after = body.get("retry_after")
    return Rejected(
        frame.get("re"),
        body["code"],
        body.get("detail", ""),
        body["temporary"],
        None if retry_after is None else float(retry_after),
    )


def _push(frame: Mapping[str, Any]) -> Push | None:
    kind, position = frame["t"], frame.get("pos")
    at = None if position is None else Position.parse(position)
    match kind:
        case "message" | "message_changed":
            return Push(Message.read(frame["d"]), at)
        case "members":
            return Push(Members.read(frame["d"]), at)
        case "state":
            return _state(frame["d"])
        case "typing":
            return Push(Typing(frame["d"]["conversation"], frame["d"]["user"]))
        case _:
            return _token(frame)


def _token(frame: Mapping[str, Any]) -> Push | None:
    match frame["t"]:
        case "mark":
            Token.parse(frame["resume"])
            return Push(Mark(frame["resume"]))
        case "reset":
            body = frame["d"]
            Token.parse(body["at_least"])
            return Push(Reset(tuple(body["conversations"]), body["why"], body["at_least"]))
        case _:
            return None


def _state(body: Mapping[str, Any]) -> Push | None:
    match body["kind"]:
        case "message":
            return Push(Message.read(body))
        case "members":
            return Push(Members.read({**body, "kind": None}))  # its `kind` says what state it is
        case _:
            return None


def _text(frame: Mapping[str, Any]) -> str:
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"))


def check_close(code: int, reason: str) -> None:
    """Raises Stopped where a close code means stop; for all others the client is to resume."""
    if code == _NOT_AUTHENTICATED:
        raise NotAuthenticated(reason or "not authenticated", code)
    if code in _STOP_OURS or code in _STOP_STANDARD:
        raise Stopped(reason or "closed by the server", code)
