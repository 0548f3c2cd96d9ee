"""Every frame and record by name, with its struct and an example that the code itself makes."""

import json
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from klatsch.core.errors import RateLimited
from klatsch.core.ids import direct_conversation_id, message_id
from klatsch.eventlog.places import offsets_text
from klatsch.gateway.language import frames, protocol
from klatsch.gateway.language.ops import OPS
from klatsch.records.members import MembersChanged, Membership
from klatsch.records.messages import MessageChanged, MessagePosted, digest, encode, judge_header
from klatsch.records.people import UserChanged, credential_digest

Source = Literal["client", "server", "log"]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A frame or record. `coming` ones are reserved and not sent yet; `headers` are a record's, as hexadecimal."""

    name: str
    source: Source
    title: str
    shape: type[msgspec.Struct]
    example: Any
    coming: bool = False
    judge: str | None = None


_ANA: Final = UUID("0a000000-0000-4000-8000-00000000000a")
_BOB: Final = UUID("0b000000-0000-4000-8000-00000000000b")
_CLIENT_ID: Final = "019f8a3c-5f00-7abc-9def-0123456789ab"
_NOW: Final = "2026-11-23T20:00:00.000Z"
_TOKEN: Final = "1.0123456789abcdef." + offsets_text(range(12))
_CONVERSATION: Final = direct_conversation_id(_ANA, _BOB)
_ID: Final = message_id(_CONVERSATION.bytes, _ANA.bytes, _CLIENT_ID)

_POSTED: Final = MessagePosted(
    id=str(UUID(bytes=_ID)),
    client_id=_CLIENT_ID,
    conversation=str(_CONVERSATION),
    sender="ana",
    sender_id=str(_ANA),
    receiver="bob",
    receiver_id=str(_BOB),
    content="hi",
    sent_at=_NOW,
)
_CHANGED: Final = MessageChanged(
    **msgspec.structs.asdict(_POSTED) | {"content": "Hi!", "position": "1:3:91830", "edited_at": _NOW}
)
_MEMBERS: Final = MembersChanged(
    conversation="7ea00000-0000-4000-8000-000000000001",
    kind="group",
    title="Tea",
    members=[Membership(user="bob", user_id=str(_BOB), active=True, role="member", version=1)],
    member_count=3,
)
_ENDED: Final = UserChanged(user="ana", user_id=str(_ANA), what="ended", credentials=[credential_digest("a session")])
_WELCOME: Final = {
    "user": "ana",
    "resumed": True,
    "heartbeat": 25,
    "now": _NOW,
    "limits": {"unanswered": protocol.UNANSWERED_MOST, "frame": protocol.FRAME_BYTES_MOST, "text": 4000},
}
_REFUSAL: Final = RateLimited("You are sending too fast.", retry_after=1.5)
_PLACE: Final = "1:3:91830"
_LATER: Final = "1:3:91840"
[_RESET] = protocol.push_resets([_POSTED.conversation], "too_far_behind", _TOKEN)
_STATE: Final = {
    "kind": "message",
    **{name: value for name, value in msgspec.to_builtins(_CHANGED).items() if name not in {"t", "v", "receiver_id"}},
    "changed": "1:3:91840",
    "seq": 12,
}


def _spoken(name: str, title: str, shape: type[msgspec.Struct], frame: bytes) -> Spoken:
    return Spoken(name, "server", title, shape, json.loads(frame))


FRAMES: Final[tuple[Spoken, ...]] = (
    *(
        Spoken(op.name, "client", op.title, op.frame, {"id": number, "op": op.name, "d": op.example})
        for number, op in enumerate(OPS, 1)
    ),
    _spoken("hello_ok", "Welcome", frames.HelloOk, protocol.ok(1, _WELCOME)),
    _spoken("send_ok", "Sent", frames.SendOk, protocol.ok_sent(2, _POSTED.id, _PLACE, duplicate=False)),
    _spoken("err", "Refused", frames.Err, protocol.err(2, _REFUSAL)),
    _spoken("message", "A new message", frames.MessagePush, protocol.push_message(_PLACE, encode(_POSTED))),
    _spoken(
        "message_changed",
        "A message is different",
        frames.MessageChangedPush,
        protocol.push_changed(_LATER, encode(_CHANGED)),
    ),
    _spoken("members", "Members have changed", frames.MembersPush, protocol.push_members("1:3:7", encode(_MEMBERS))),
    _spoken("mark", "How far you have come", frames.Mark, protocol.push_mark(_TOKEN)),
    _spoken("reset", "Load anew", frames.Reset, _RESET),
    Spoken(
        "state",
        "server",
        "The present state of something",
        frames.State,
        {"t": "state", "d": _STATE},
    ),
    Spoken(
        "typing",
        "server",
        "Somebody is writing",
        frames.Typing,
        {"t": "typing", "d": {"conversation": _POSTED.conversation, "user": "bob"}},
        coming=True,
    ),
)

_JUDGE: Final = judge_header(_ID, _ANA.bytes, digest(_POSTED.content, None)).hex()
RECORDS: Final[tuple[Spoken, ...]] = tuple(
    Spoken(f"record_{name}", "log", title, type(value), msgspec.to_builtins(value), judge=judge)
    for name, title, value, judge in (
        ("message", "A new message", _POSTED, _JUDGE),
        ("message_changed", "A message is different", _CHANGED, "02" + _JUDGE[2:66] + "00" * 16),
        ("members", "Members have changed", _MEMBERS, None),
        ("user", "A person's credentials have ended", _ENDED, None),
    )
)
