"""What the server says on a WebSocket, as structs: docs/asyncapi.yaml is made of them, and tests hold all frames to it.

What is hot is written as bytes in `gateway.language.protocol`, in these shapes.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from klatsch.archive.message_view import MessageView, Reactions
from klatsch.core.errors import ERRORS, NotAuthenticated
from klatsch.eventlog.places import PositionText, ResumeTokenText
from klatsch.records.members import Role
from klatsch.records.values import Time, Uuid

FrameId = int | Annotated[str, Meta(max_length=64)]
ErrorCode = Annotated[
    str, Meta(extra_json_schema={"enum": sorted(kind.code for kind in ERRORS if kind is not NotAuthenticated)})
]
"""A credential that does not count closes the socket instead."""

ResetReason = Literal["too_far_behind", "archive_behind", "unknown_epoch"]


class Limits(msgspec.Struct, frozen=True):
    """What one connection may do: sends without an answer, bytes of a frame, characters of a text."""

    unanswered: int
    frame: int
    text: int


class Welcome(msgspec.Struct, frozen=True):
    """Who one is. `heartbeat` is the seconds between two marks; `now` tells how far off one's own clock is."""

    user: str
    resumed: bool
    heartbeat: int
    now: Time
    limits: Limits


class HelloOk(msgspec.Struct, frozen=True):
    """The answer to `hello`."""

    re: FrameId
    ok: Welcome


class Sent(msgspec.Struct, frozen=True):
    """The message stands in the log at that position; with `duplicate` it stood there before."""

    id: Uuid
    position: PositionText
    duplicate: bool


class SendOk(msgspec.Struct, frozen=True):
    """The answer to `send`: final and true."""

    re: FrameId
    ok: Sent


class WrongField(msgspec.Struct, frozen=True):
    """What is wrong with one field of a body."""

    field: str
    code: str
    detail: str


class Refusal(msgspec.Struct, frozen=True):
    """Why not. With `temporary` the same may succeed later, after `retry_after` seconds where that is said."""

    code: ErrorCode
    detail: str
    temporary: bool
    retry_after: float | UnsetType = UNSET
    errors: list[WrongField] | UnsetType = UNSET


class Err(msgspec.Struct, frozen=True):
    """The answer to what was refused; `re` is null where the frame's id could not be read."""

    re: FrameId | None
    err: Refusal


class Mark(msgspec.Struct, frozen=True, tag_field="t", tag="mark"):
    """The token that counts from here on."""

    resume: ResumeTokenText


class ResetBody(msgspec.Struct, frozen=True):
    """Load these conversations anew from their histories, with `at_least`."""

    conversations: list[Uuid]
    why: ResetReason
    at_least: ResumeTokenText


class Reset(msgspec.Struct, frozen=True, tag_field="t", tag="reset"):
    """The stream cannot be proven whole."""

    d: ResetBody


class ArchivedMessage(MessageView, frozen=True, tag_field="kind", tag="message"):
    """The whole message as it is now. Apply it if its `changed` is newer than what one has."""

    seq: int
    reactions: Reactions  # type: ignore[assignment]  # as it is told; the archive passes on its JSON undecoded


class ArchivedMember(msgspec.Struct, frozen=True):
    """One person's standing now; of two, the higher version is true."""

    user: str
    user_id: Uuid
    active: bool
    role: Role
    version: int


class ArchivedMembers(msgspec.Struct, frozen=True, tag_field="kind", tag="members"):
    """Those whose standing in a conversation has changed; one who has left it is told of nobody else."""

    conversation: Uuid
    members: list[ArchivedMember]


class State(msgspec.Struct, frozen=True, tag_field="t", tag="state"):
    """A replay from the archive: the present state of something, to upsert. It has no `pos`."""

    d: ArchivedMessage | ArchivedMembers


class TypingBody(msgspec.Struct, frozen=True):
    conversation: Uuid
    user: str


class Typing(msgspec.Struct, frozen=True, tag_field="t", tag="typing"):
    """Reserved, coming: somebody is writing. It is not durable."""

    d: TypingBody
