"""The server's frames on a WebSocket, as structs: docs/asyncapi.yaml is generated from them.

Tests hold all frames to these structs. Hot frames are written as bytes in `gateway.language.protocol`, in these
shapes.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from klatsch.archive.message_view import Counts, MessageView, Names, Reactions, ReplyPreview
from klatsch.core.errors import ERRORS, NotAuthenticated
from klatsch.eventlog.places import PositionText, ResumeTokenText
from klatsch.records.invitations import Invitation
from klatsch.records.members import Role
from klatsch.records.values import Time, Uuid

FrameId = int | Annotated[str, Meta(max_length=64)]
ErrorCode = Annotated[
    str, Meta(extra_json_schema={"enum": sorted(kind.code for kind in ERRORS if kind is not NotAuthenticated)})
]
"""An invalid credential closes the socket instead."""

ResetReason = Literal["too_far_behind", "archive_behind", "unknown_epoch"]


class Limits(msgspec.Struct, frozen=True):
    """A connection's limits: sends without an answer, bytes of a frame, characters of a text."""

    unanswered: int
    frame: int
    text: int


class Welcome(msgspec.Struct, frozen=True):
    """Your account and limits. `heartbeat` is the seconds between two marks; `now` tells how far off your clock is."""

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
    """The message is in the log at that position; with `duplicate` it was there before.

    `mentions` is there if the text mentions somebody and the message was not there before.
    """

    id: Uuid
    position: PositionText
    duplicate: bool
    mentions: list[str] | UnsetType = UNSET


class SendOk(msgspec.Struct, frozen=True):
    """The answer to `send`: the message is in the log, for good."""

    re: FrameId
    ok: Sent


class Changed(msgspec.Struct, frozen=True):
    """The change is in the log at that position, under an id of its own; with `duplicate` it was there before.

    Without `duplicate` there are also the fields of the push that the server makes. These are `edited_at` and
    `mentions` of an edit, `deleted_at` of a deletion, and `at` of a pin.
    """

    id: Uuid
    position: PositionText
    duplicate: bool
    edited_at: Time | UnsetType = UNSET
    mentions: list[str] | UnsetType = UNSET
    deleted_at: Time | UnsetType = UNSET
    at: Time | UnsetType = UNSET


class ChangeOk(msgspec.Struct, frozen=True):
    """The answer to `edit`, `delete`, `react` and `pin`: the change counts, for good."""

    re: FrameId
    ok: Changed


class MarkedUpTo(msgspec.Struct, frozen=True):
    """Your marker as it is now; lower positions change nothing."""

    delivered: PositionText | None
    read: PositionText | None


class MarkOk(msgspec.Struct, frozen=True):
    """The answer to `mark`. Your other devices are told within a second."""

    re: FrameId
    ok: MarkedUpTo


class WrongField(msgspec.Struct, frozen=True):
    """A problem with one field of a body."""

    field: str
    code: str
    detail: str


class Refusal(msgspec.Struct, frozen=True):
    """The reason of a refusal. With `temporary`, retrying may succeed, after `retry_after` seconds if given.

    `changed` is the position of the edit that a refused edit had not seen.
    """

    code: ErrorCode
    detail: str
    temporary: bool
    retry_after: float | UnsetType = UNSET
    errors: list[WrongField] | UnsetType = UNSET
    changed: PositionText | UnsetType = UNSET


class Err(msgspec.Struct, frozen=True):
    """The answer to a refused frame; `re` is null where the frame's id could not be read."""

    re: FrameId | None
    err: Refusal


class Mark(msgspec.Struct, frozen=True, tag_field="t", tag="mark"):
    """Your resume token from here on."""

    resume: ResumeTokenText


class ResetBody(msgspec.Struct, frozen=True):
    """Reload these conversations from their histories, with `at_least`."""

    conversations: list[Uuid]
    why: ResetReason
    at_least: ResumeTokenText


class Reset(msgspec.Struct, frozen=True, tag_field="t", tag="reset"):
    """The stream may be incomplete in some conversations."""

    d: ResetBody


class ArchivedMessage(MessageView, frozen=True, tag_field="kind", tag="message"):
    """The whole message as it is now. Apply it if its `changed` is newer than your copy's."""

    seq: int
    # As clients get them; the archive passes its JSON on undecoded.
    reactions: Reactions  # type: ignore[assignment]
    reaction_counts: Counts  # type: ignore[assignment]
    mentions: Names  # type: ignore[assignment]
    reply_preview: ReplyPreview | None  # type: ignore[assignment]


class ArchivedMember(msgspec.Struct, frozen=True):
    """A person's current membership; of two, the higher version counts."""

    user: str
    user_id: Uuid
    active: bool
    role: Role
    version: int
    blocked: bool = False


class ArchivedMembers(msgspec.Struct, frozen=True, tag_field="kind", tag="members"):
    """Changed memberships of a conversation, with its present title and size. If you have left it, only your own."""

    conversation: Uuid
    members: list[ArchivedMember]
    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    member_count: int | UnsetType = UNSET
    version: int | UnsetType = UNSET


class ArchivedInvitation(Invitation, frozen=True, kw_only=True, tag_field="kind", tag="invitation"):
    """An invitation of yours as it is now. Of two with one id, the higher version counts."""


class ArchivedMarker(msgspec.Struct, frozen=True, tag_field="kind", tag="marker"):
    """A person's marker as of its record at `changed`. The highest of each counts; only yours has `unread_from`."""

    conversation: Uuid
    user: str
    user_id: Uuid
    delivered: PositionText | None
    read: PositionText | None
    changed: PositionText
    unread_from: PositionText | UnsetType | None = UNSET


class State(msgspec.Struct, frozen=True, tag_field="t", tag="state"):
    """A replay: the current state of a message, of members, of an invitation or of a marker, to upsert. No `pos`."""

    d: ArchivedMessage | ArchivedMembers | ArchivedInvitation | ArchivedMarker


class TypingBody(msgspec.Struct, frozen=True):
    conversation: Uuid
    user: str
    on: bool


class Typing(msgspec.Struct, frozen=True, tag_field="t", tag="typing"):
    """A person types in a conversation that you have opened, or has stopped. Let `on` expire after 8 s."""

    d: TypingBody


class PresenceBody(msgspec.Struct, frozen=True):
    online: list[str]
    offline: list[str]


class Presence(msgspec.Struct, frozen=True, tag_field="t", tag="presence"):
    """People whom you show have come online or gone offline."""

    d: PresenceBody


class Nothing(msgspec.Struct, frozen=True):
    """An answer without fields."""


class OpenOk(msgspec.Struct, frozen=True):
    """The answer to `open`: these are your opened conversations now, and no others."""

    re: FrameId
    ok: Nothing


class PresenceOk(msgspec.Struct, frozen=True):
    """The answer to `presence`: every name, as online or offline. Changes are pushed from here on."""

    re: FrameId
    ok: PresenceBody
