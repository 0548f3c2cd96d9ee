"""The records of messages, version 1. A value holds public fields only and goes to clients as it is."""

import hashlib
from typing import Annotated, Final, Literal

import msgspec

from klatsch.eventlog.places import POSITION_PATTERN
from klatsch.records.values import DeferredClientId, DeferredTime, DeferredUuid, RepeatedUuid, Time, Uuid

VERSION: Final = 1
CONTENT_MOST: Final = 4000
"""The most characters of a message's text."""
MENTIONS_MOST: Final = 50
"""The most people that a message mentions."""


class MessagePosted(msgspec.Struct, frozen=True, tag_field="t", tag="message", gc=False):
    """A new message. Its id is uuid5(conversation, sender_id + client_id).

    `mentions` are the usernames that its text mentions, and `mention_ids` the ids of these people.
    """

    id: DeferredUuid
    client_id: DeferredClientId
    conversation: RepeatedUuid
    sender: str
    sender_id: RepeatedUuid
    receiver: str | None
    receiver_id: RepeatedUuid | None
    content: Annotated[str, msgspec.Meta(min_length=1, max_length=CONTENT_MOST)]
    sent_at: DeferredTime
    reply_to: DeferredUuid | None = None
    mentions: Annotated[list[str], msgspec.Meta(max_length=MENTIONS_MOST)] = []
    mention_ids: Annotated[list[Uuid], msgspec.Meta(max_length=MENTIONS_MOST)] = []
    v: Literal[1] = VERSION


class MessageChanged(msgspec.Struct, frozen=True, tag_field="t", tag="message_changed", gc=False):
    """A changed message, whole: readers do not need the records before it."""

    id: Uuid
    client_id: str
    conversation: Uuid
    sender: str
    sender_id: Uuid
    receiver: str | None
    receiver_id: Uuid | None
    content: Annotated[str, msgspec.Meta(max_length=CONTENT_MOST)]
    sent_at: Time
    position: Annotated[str, msgspec.Meta(pattern=POSITION_PATTERN)]
    reply_to: Uuid | None = None
    edited_at: Time | None = None
    deleted: bool = False
    reactions: dict[str, list[str]] = {}
    mentions: list[str] = []
    mention_ids: list[Uuid] = []
    v: Literal[1] = VERSION


def digest(content: str, reply_to: str | None) -> bytes:
    """Returns 16 bytes that tell two bodies of one `client_id` apart."""
    hashed = hashlib.blake2b(content.encode(), digest_size=16)
    if reply_to is not None:
        hashed.update(b"\0" + reply_to.encode())
    return hashed.digest()


_SENT_AT: Final = b'"sent_at":"'


def read_sent_at(value: bytes) -> str:
    """Returns the time when a message was sent, without decoding the rest; raises ValueError.

    Quotes within a text are escaped, so that no message text is mistaken for the field.
    """
    start = value.rindex(_SENT_AT) + len(_SENT_AT)
    return value[start : value.index(b'"', start)].decode("ascii")
