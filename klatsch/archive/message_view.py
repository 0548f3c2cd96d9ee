"""A message as clients see it, declared once.

`MessageView` determines the columns that are read, the frame of a replay and the shape in the OpenAPI document.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, Final, NamedTuple, get_args, get_type_hints

import msgspec

from klatsch.archive.change_places import MESSAGE_PLACE, change_place, change_place_sql
from klatsch.eventlog.places import PositionText
from klatsch.records.messages import MessagePosted
from klatsch.records.values import Time, Uuid

Reactions = dict[str, list[str]]
Counts = dict[str, int]
Names = list[str]
NAMES_MOST: Final = 50
"""The most usernames of one kind of reaction in a message's view."""


@dataclass(frozen=True, slots=True)
class Column:
    """A field's source: SQL of the message m, its sender s and its receiver r; and `note`, for readers.

    The SQL yields text: creating a UUID and a datetime only to print them would take longer than everything else.
    `public` is the field's type for clients, where it differs from the type in memory.
    """

    sql: str
    note: str = ""
    public: Any = None


_PLACE: Final = "A place in the log: `epoch:partition:offset`."
_MOMENT: Final = """to_char(m.{} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


PREVIEW_CHARACTERS: Final = 200
_PREVIEW: Final = f"""(SELECT json_build_object('id', q.id, 'sender', qs.username,
        'content', left(q.content, {PREVIEW_CHARACTERS}), 'deleted', q.deleted)::text
    FROM messaging_message q JOIN accounts_user qs ON qs.id = q.sender_id
    WHERE q.id = m.reply_to AND q.conversation_id = m.conversation_id)"""  # noqa: S608 - a number


class ReplyPreview(msgspec.Struct, frozen=True):
    """The message that a reply names, as it is now: `content` is the beginning of its text, empty once deleted."""

    id: Uuid
    sender: str
    content: str
    deleted: bool


class MessageView(msgspec.Struct, frozen=True, gc=False):
    """A message as clients see it. `seq` is None until it is archived. Fields of type Raw stay PostgreSQL's JSON."""

    id: Annotated[Uuid, Column("m.id::text")]
    client_id: Annotated[str, Column("m.client_id")]
    conversation: Annotated[Uuid, Column("m.conversation_id::text")]
    sender: Annotated[str, Column("s.username", "A username.")]
    sender_id: Annotated[Uuid, Column("m.sender_id::text")]
    receiver: Annotated[str | None, Column("r.username", "A username; null in a group.")]
    content: Annotated[str, Column("CASE WHEN m.deleted THEN '' ELSE m.content END", "Empty once deleted.")]
    sent_at: Annotated[Time, Column(_MOMENT.format("sent_at"))]
    position: Annotated[PositionText, Column(MESSAGE_PLACE, _PLACE)]
    changed: Annotated[
        PositionText,
        Column(change_place_sql("m.changed_epoch", "m.changed_offset"), f"That of its last change. {_PLACE}"),
    ]
    seq: Annotated[int | None, Column("m.seq", "Its number in its conversation, once archived.")]
    edited_at: Annotated[Time | None, Column(_MOMENT.format("edited_at"))]
    deleted: Annotated[bool, Column("m.deleted")]
    reply_to: Annotated[Uuid | None, Column("m.reply_to::text")]
    pinned_at: Annotated[Time | None, Column(_MOMENT.format("pinned_at"))]
    reactions: Annotated[
        msgspec.Raw, Column("m.reactions::text", f"At most {NAMES_MOST} usernames by emoji.", Reactions)
    ]
    reaction_counts: Annotated[msgspec.Raw, Column("m.reaction_counts::text", "People by emoji.", Counts)]
    mentions: Annotated[msgspec.Raw, Column("m.mentions::text", "Mentioned usernames.", Names)]
    reply_preview: Annotated[
        msgspec.Raw, Column(_PREVIEW, "Of the message that this one replies to, once archived.", ReplyPreview | None)
    ]


class PublicField(NamedTuple):
    """A field as clients get it. `kind` is its type without None."""

    name: str
    kind: Any
    nullable: bool
    note: str


def _declared() -> Iterator[tuple[str, Any, Column]]:
    """Yields the fields in their order: name, type and column."""
    for name, hint in get_type_hints(MessageView, include_extras=True).items():
        *constraints, column = hint.__metadata__
        yield name, Annotated[hint.__origin__, *constraints] if constraints else hint.__origin__, column


def public_fields() -> Iterator[PublicField]:
    """Yields the fields as clients get them."""
    for name, declared, column in _declared():
        shape = column.public or declared
        kinds = [kind for kind in get_args(shape) if kind is not NoneType]
        nullable = NoneType in get_args(shape)
        yield PublicField(name, kinds[0] if nullable else shape, nullable, column.note)


MESSAGE_COLUMNS: Final = ", ".join(column.sql for _, _, column in _declared())
"""The SQL of a MessageView's fields in their order, to select from messaging_message m and PEOPLE."""
MESSAGE_WIDTH: Final = len(MessageView.__struct_fields__)
_RAW: Final = [place for place, (_, kind, _) in enumerate(_declared()) if kind is msgspec.Raw]
_CHANGED: Final = MessageView.__struct_fields__.index("changed")
_CONVERSATION: Final = MessageView.__struct_fields__.index("conversation")
PEOPLE: Final = "JOIN accounts_user s ON s.id = m.sender_id LEFT JOIN accounts_user r ON r.id = m.receiver_id"


def view_of(row: tuple[Any, ...]) -> MessageView:
    """Returns the message of a row that begins with MESSAGE_COLUMNS."""
    values = [*row[:MESSAGE_WIDTH]]
    for place in _RAW:
        values[place] = msgspec.Raw(values[place] or "null")
    values[_CHANGED] = change_place(values[_CHANGED], values[_CONVERSATION])
    return MessageView(*values)


_AS_POSTED: Final = [
    name for name, kind, _ in _declared() if name in MessagePosted.__struct_fields__ and kind is not msgspec.Raw
]


def view_of_posted(message: MessagePosted, position: str, seq: int | None = None) -> MessageView:
    """Returns an unchanged message from its record and the record's position."""
    posted = {name: getattr(message, name) for name in _AS_POSTED}
    return MessageView(
        **posted,
        position=position,
        changed=position,
        seq=seq,
        edited_at=None,
        deleted=False,
        pinned_at=None,
        reactions=msgspec.Raw(b"{}"),
        reaction_counts=msgspec.Raw(b"{}"),
        mentions=msgspec.Raw(msgspec.json.encode(message.mentions)),
        reply_preview=msgspec.Raw(b"null"),
    )
