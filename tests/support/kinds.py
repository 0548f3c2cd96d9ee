"""A kind of record that the product does not have: a message is rewritten, by a record with an id of its own (D18)."""

from typing import Literal
from uuid import UUID

import msgspec

from klatsch.core.ids import message_id
from klatsch.eventlog.log import Entry
from klatsch.records import examples
from klatsch.records.header import DIGEST, TARGET, make_header
from klatsch.records.keys import CONVERSATION
from klatsch.records.kind import Fold, Header, Judging, Kinds, Push, RecordKind
from klatsch.records.kinds import KINDS
from klatsch.records.messages import MessagePosted, digest
from klatsch.records.values import Time, Uuid, encode
from tests.support.records import Somebody


class Rewritten(msgspec.Struct, frozen=True, tag_field="t", tag="message_rewritten", gc=False):
    """The event that somebody wrote a message anew."""

    id: Uuid
    conversation: Uuid
    by: str
    content: str
    edited_at: Time
    v: Literal[1] = 1


BYTE = 99


def header_of(event: Rewritten, own_id: bytes, actor: UUID) -> bytes:
    return make_header(BYTE, own_id, actor.bytes, digest(event.content, None), UUID(event.id).bytes)


def rewrite(original: MessagePosted, content: str, by: Somebody, client_id: str) -> Entry:
    """Returns the entry of a rewriting, named by its author."""
    event = Rewritten(
        id=original.id, conversation=original.conversation, by=by.name, content=content, edited_at=original.sent_at
    )
    own_id = message_id(UUID(event.conversation).bytes, by.id.bytes, client_id)
    return Entry(event.conversation.encode(), encode(event), header_of(event, own_id, by.id))


_EXAMPLE = Rewritten(
    id=examples.POSTED.id, conversation=examples.POSTED.conversation, by="ana", content="Hi!", edited_at=examples.NOW
)
REWRITTEN = RecordKind(
    struct=Rewritten,
    title="A message was written anew",
    example=_EXAMPLE,
    example_header=header_of(_EXAMPLE, bytes(16), examples.ANA),
    key=CONVERSATION,
    header=Header(
        BYTE,
        {
            "target": (TARGET, lambda event: UUID(event.id).bytes),
            "digest": (DIGEST, lambda event: digest(event.content, None)),
        },
    ),
    judging=Judging.ONCE,
    push=Push("Somebody wrote a message anew. Apply it if its place is newer than yours."),
    storing=Fold({"content": "text", "edited_at": "timestamptz"}),
)
WITH_REWRITTEN = Kinds(*KINDS, REWRITTEN)
