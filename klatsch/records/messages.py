"""The records of `klatsch.events`, version 1: frozen, with their encoding. docs/schemas/ is generated from here.

A value holds public fields only and goes to clients as it is; what judging needs travels in the header `judge`.
"""
# ruff: noqa: PLC0414 - some records belong to conversations and accounts, and whoever reads records finds all here

import hashlib
from collections.abc import Callable
from typing import Annotated, Final, Literal

import msgspec

from klatsch.eventlog.log import Record
from klatsch.records.members import MEMBERS_PREFIX as MEMBERS_PREFIX
from klatsch.records.members import MembersChanged as MembersChanged
from klatsch.records.members import Membership as Membership
from klatsch.records.members import Uuid as Uuid
from klatsch.records.members import members_key as members_key
from klatsch.records.people import USER_PREFIX as USER_PREFIX
from klatsch.records.people import UserChanged as UserChanged
from klatsch.records.people import user_key as user_key

VERSION: Final = 1
CONTENT_MOST: Final = 4000
"""Characters of a message's text."""

Time = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", description="RFC 3339, UTC")]


class MessagePosted(msgspec.Struct, frozen=True, tag_field="t", tag="message", gc=False):
    """Somebody wrote something. Its id is uuid5(conversation, sender_id + client_id)."""

    id: Uuid
    client_id: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{1,64}$")]
    conversation: Uuid
    sender: str
    sender_id: Uuid
    receiver: str | None
    receiver_id: Uuid | None
    content: Annotated[str, msgspec.Meta(min_length=1, max_length=CONTENT_MOST)]
    sent_at: Time
    reply_to: Uuid | None = None
    v: Literal[1] = VERSION


class MessageChanged(msgspec.Struct, frozen=True, tag_field="t", tag="message_changed", gc=False):
    """A message is as this says from here on: the whole of it, so that nobody needs what came before."""

    id: Uuid
    client_id: str
    conversation: Uuid
    sender: str
    sender_id: Uuid
    receiver: str | None
    receiver_id: Uuid | None
    content: Annotated[str, msgspec.Meta(max_length=CONTENT_MOST)]
    sent_at: Time
    position: Annotated[str, msgspec.Meta(pattern=r"^\d{1,5}:\d{1,5}:\d{1,19}$")]
    reply_to: Uuid | None = None
    edited_at: Time | None = None
    deleted: bool = False
    reactions: dict[str, list[str]] = {}
    v: Literal[1] = VERSION


CONVERSATION_KEY_LENGTH: Final = 36
"""Bytes of a conversation's own key, its id as text: keys of any other length are not messages."""

_MESSAGE: Final = b"\x01"
_CHANGE: Final = b"\x02"
_JUDGE_LENGTH: Final = 1 + 16 + 16 + 16

_encoder = msgspec.json.Encoder()
encode = _encoder.encode
Event = MessagePosted | MessageChanged | MembersChanged | UserChanged
decode_record: Callable[[bytes], Event] = msgspec.json.Decoder(Event).decode


class BadRecord(ValueError):
    """A record that is none of ours; the text is the reason."""


def digest(content: str, reply_to: str | None) -> bytes:
    """16 bytes that tell two bodies of one `client_id` apart."""
    hashed = hashlib.blake2b(content.encode(), digest_size=16)
    if reply_to is not None:
        hashed.update(b"\0" + reply_to.encode())
    return hashed.digest()


def judge_header(message_id: bytes, sender: bytes, body: bytes) -> bytes:
    """What a gateway judges a new message by, without decoding: kind, message id, sender id and digest, 49 bytes."""
    return _MESSAGE + message_id + sender + body


def change_header(message_id: bytes, actor: bytes) -> bytes:
    """The same for a change: who made it stands where the sender does, and no digest is needed."""
    return _CHANGE + message_id + actor + bytes(16)


def is_message(record: Record) -> bool:
    """Whether a record is a new message by its key and header, which is all that a gateway looks at."""
    judge = record.judge
    return len(record.key) == CONVERSATION_KEY_LENGTH and len(judge) == _JUDGE_LENGTH and judge[:1] == _MESSAGE


def is_change(record: Record) -> bool:
    """The same for a change of a message."""
    judge = record.judge
    return len(record.key) == CONVERSATION_KEY_LENGTH and len(judge) == _JUDGE_LENGTH and judge[:1] == _CHANGE


def judged_id(judge: bytes) -> bytes:
    return judge[1:17]


def judged_sender(judge: bytes) -> bytes:
    return judge[17:33]


def judged_digest(judge: bytes) -> bytes:
    return judge[33:]


_SENT_AT: Final = b'"sent_at":"'


def read_sent_at(value: bytes) -> str:
    """When a message was sent, decoding nothing else; raises ValueError. Quotes within a text are escaped: no text
    that people write is taken for the field.
    """
    start = value.rindex(_SENT_AT) + len(_SENT_AT)
    return value[start : value.index(b'"', start)].decode("ascii")
