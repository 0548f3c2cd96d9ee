"""Every frame and record by name, with its struct and an example that the code itself makes."""

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from klatsch.core.errors import RateLimited
from klatsch.eventlog.places import offsets_text
from klatsch.gateway.language import frames, protocol
from klatsch.gateway.language.ops import OPS, Op
from klatsch.gateway.language.pushes import push_struct
from klatsch.records.examples import CHANGED, NOW, POSITION, POSTED, PRESENCE, TYPING
from klatsch.records.keys import CONVERSATION, GATEWAY, KeyForm
from klatsch.records.kind import Kinds
from klatsch.records.signals import PresenceSignal, TypingSignal
from klatsch.records.values import encode

Source = Literal["client", "server", "log"]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A frame or record. `coming` ones are reserved and not sent yet; `headers` are a record's, in hexadecimal."""

    name: str
    source: Source
    title: str
    shape: type[msgspec.Struct]
    example: Any
    coming: bool = False
    judge: str | None = None
    key: KeyForm | None = None


_TOKEN: Final = "1.0123456789abcdef." + offsets_text(range(12))
_WELCOME: Final = {
    "user": "ana",
    "resumed": True,
    "heartbeat": 25,
    "now": NOW,
    "limits": {"unanswered": protocol.UNANSWERED_MOST, "frame": protocol.FRAME_BYTES_MOST, "text": 4000},
}
_REFUSAL: Final = RateLimited("You are sending too fast. Try again later.", retry_after=1.5)
_TOLD: Final = b',"edited_at":"%b","mentions":["bob"]' % NOW.encode()
_CHANGE_ID: Final = "8b1c6c0e-61a5-5d3c-9a55-1f8a3cb0f7aa"
_RESET: Final = protocol.push_reset([POSTED.conversation], "too_far_behind", _TOKEN)
_NOT_SHOWN: Final = {"t", "v", "receiver_id", "mention_ids"}
_STATE: Final = {
    "kind": "message",
    **{name: value for name, value in msgspec.to_builtins(CHANGED).items() if name not in _NOT_SHOWN},
    "pinned_at": None,
    "reaction_counts": {},
    "reply_preview": None,
    "changed": "1:3:91840",
    "seq": 12,
}


def _spoken(name: str, title: str, shape: type[msgspec.Struct], frame: bytes) -> Spoken:
    return Spoken(name, "server", title, shape, json.loads(frame))


def _asked(op: Op, number: int) -> dict[str, Any]:
    named = {"id": number} if op.answer else {}
    return {**named, "op": op.name, "d": op.example}


_ANSWERS_AND_OPS: Final[tuple[Spoken, ...]] = (
    *(Spoken(op.message_name, "client", op.title, op.frame, _asked(op, number)) for number, op in enumerate(OPS, 1)),
    _spoken("hello_ok", "Welcome", frames.HelloOk, protocol.ok(1, _WELCOME)),
    _spoken("send_ok", "Sent", frames.SendOk, protocol.ok_sent(2, POSTED.id, POSITION, duplicate=False)),
    _spoken(
        "change_ok",
        "Changed",
        frames.ChangeOk,
        protocol.ok_sent(3, _CHANGE_ID, "1:3:91840", duplicate=False, told=_TOLD),
    ),
    _spoken("open_ok", "Opened", frames.OpenOk, protocol.ok(7, {})),
    _spoken("presence_ok", "Shown", frames.PresenceOk, protocol.ok(9, {"online": ["bob"], "offline": []})),
    _spoken("mark_ok", "Marked", frames.MarkOk, protocol.ok(3, {"delivered": POSITION, "read": POSITION})),
    _spoken("err", "Refused", frames.Err, protocol.err(2, _REFUSAL)),
)
_SIGNS: Final[tuple[Spoken, ...]] = (
    _spoken("mark", "Your progress", frames.Mark, protocol.push_mark(_TOKEN)),
    _spoken("reset", "Reload conversations", frames.Reset, _RESET),
    Spoken(
        "state",
        "server",
        "Current state of a message, of members or of an invitation",
        frames.State,
        {"t": "state", "d": _STATE},
    ),
    _spoken("typing", "A person is typing", frames.Typing, protocol.push_typing(POSTED.conversation, "bob", on=True)),
    _spoken("presence", "People have come or gone", frames.Presence, protocol.push_presence(["bob"], [])),
)


def records_of(kinds: Kinds) -> list[Spoken]:
    """Returns the records of the log."""
    return [
        Spoken(
            f"record_{kind.name}",
            "log",
            kind.title,
            kind.struct,
            msgspec.to_builtins(kind.example),
            judge=kind.example_header.hex() or None,
            key=kind.key,
        )
        for kind in kinds
    ]


def signal_records() -> list[Spoken]:
    """Returns the records of the topic of signals."""
    return [
        Spoken(
            "signal_typing",
            "log",
            "A person types",
            TypingSignal,
            msgspec.to_builtins(TYPING),
            key=CONVERSATION,
        ),
        Spoken(
            "signal_presence",
            "log",
            "People of a gateway have come or gone",
            PresenceSignal,
            msgspec.to_builtins(PRESENCE),
            key=GATEWAY,
        ),
    ]


def frames_of(kinds: Kinds) -> list[Spoken]:
    """Returns the frames of a socket: operations, answers, pushes of records, and other pushes."""
    pushes = [
        _spoken(kind.name, kind.title, push_struct(kind), kind.frame(POSITION, encode(kind.example)))
        for kind in kinds
        if kind.push is not None
    ]
    return [*_ANSWERS_AND_OPS, *pushes, *_SIGNS]
