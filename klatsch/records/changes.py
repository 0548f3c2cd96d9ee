"""The records that each change one message, version 1: edited, deleted, reaction, pinned (D18).

A record says only what changes, and the readers of the log fold it into the message. Its own id is
uuid5(conversation, actor's id + client_id), like that of a message.
"""

import hashlib
from typing import Annotated, Final, Literal

import msgspec

from klatsch.core.text import EMOJI_BYTES_MOST
from klatsch.records.messages import CONTENT_MOST, MENTIONS_MOST
from klatsch.records.values import Time, Uuid

Emoji = Annotated[str, msgspec.Meta(min_length=1, max_length=EMOJI_BYTES_MOST)]


class MessageEdited(msgspec.Struct, frozen=True, tag_field="t", tag="message_edited", gc=False):
    """A message has another text. `mentions` are the usernames that the new text mentions."""

    id: Uuid
    conversation: Uuid
    content: Annotated[str, msgspec.Meta(min_length=1, max_length=CONTENT_MOST)]
    mentions: Annotated[list[str], msgspec.Meta(max_length=MENTIONS_MOST)]
    edited_at: Time
    by: str
    by_id: Uuid
    mention_ids: Annotated[list[Uuid], msgspec.Meta(max_length=MENTIONS_MOST)] = []
    v: Literal[1] = 1


class MessageDeleted(msgspec.Struct, frozen=True, tag_field="t", tag="message_deleted", gc=False):
    """A message is deleted, for good: its text, versions, mentions, reactions and pin are gone."""

    id: Uuid
    conversation: Uuid
    by: str
    by_id: Uuid
    deleted_at: Time
    v: Literal[1] = 1


class ReactionChanged(msgspec.Struct, frozen=True, tag_field="t", tag="reaction", gc=False):
    """A person has added a reaction to a message (`on`), or taken it back."""

    id: Uuid
    conversation: Uuid
    emoji: Emoji
    on: bool
    user: str
    user_id: Uuid
    v: Literal[1] = 1


class MessagePinned(msgspec.Struct, frozen=True, tag_field="t", tag="pinned", gc=False):
    """A message is pinned in its conversation (`on`), or not any more."""

    id: Uuid
    conversation: Uuid
    on: bool
    by: str
    by_id: Uuid
    at: Time
    v: Literal[1] = 1


Change = MessageEdited | MessageDeleted | ReactionChanged | MessagePinned


def digest_edit(content: str) -> bytes:
    """Returns 16 bytes that tell two edits of one `client_id` apart."""
    return hashlib.blake2b(b"edit\0" + content.encode(), digest_size=16).digest()


DELETION_DIGEST: Final = hashlib.blake2b(b"delete", digest_size=16).digest()
_PIN: Final = hashlib.blake2b(b"pin", digest_size=15).digest()


def digest_pin(*, on: bool) -> bytes:
    """Returns the digest of a pin. The last byte is `on`, so that no value is decoded to judge."""
    return _PIN + bytes([on])


def digest_reaction(emoji: str, *, on: bool) -> bytes:
    """Returns the digest of a reaction: 15 bytes name the emoji, and the last byte is `on`."""
    return name_reaction(emoji) + bytes([on])


def name_reaction(emoji: str) -> bytes:
    """Returns the 15 bytes that name an emoji in headers."""
    return hashlib.blake2b(b"react\0" + emoji.encode(), digest_size=15).digest()
