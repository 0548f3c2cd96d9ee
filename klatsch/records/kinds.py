"""Every kind of record, one row each (D21): its key and header, and how it is judged, pushed and stored.

Feeds, the persister, the frames of sockets, the schemas and the AsyncAPI document read this table. A new kind is a new
row.
"""

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any, Final

import msgspec

from klatsch.core.ids import uuid_bytes
from klatsch.records import examples
from klatsch.records.changes import (
    DELETION_DIGEST,
    MessageDeleted,
    MessageEdited,
    MessagePinned,
    ReactionChanged,
    digest_edit,
    digest_pin,
    digest_reaction,
)
from klatsch.records.header import (
    ACTOR,
    DELETED,
    DIGEST,
    EDITED,
    ID,
    MARKER,
    NEW_MESSAGE,
    PINNED,
    REACTION,
    TARGET,
    WHOLE_MESSAGE,
)
from klatsch.records.invitations import InvitationChanged
from klatsch.records.keys import CONVERSATION, INVITATIONS, MEMBERS, PERSON
from klatsch.records.kind import Fold, Header, Judging, Kinds, Push, RecordKind, Storing
from klatsch.records.markers import DELIVERED, READ, MarkerMoved, place_bytes
from klatsch.records.members import MembersChanged
from klatsch.records.messages import CONTENT_MOST, MessageChanged, MessagePosted, digest
from klatsch.records.people import UserChanged
from klatsch.records.values import REMEMBERED_MOST

_remembered_bytes = lru_cache(REMEMBERED_MOST)(uuid_bytes)


def _bytes_of(field: str, convert: Callable[[str], bytes] = uuid_bytes) -> Callable[[Any], bytes]:
    """Returns a function that reads a UUID field of a decoded record as 16 bytes."""
    read = attrgetter(field)
    return lambda event: convert(read(event))


def _person_of(field: str) -> Callable[[Any], bytes]:
    """Returns `_bytes_of` a person's id, which is remembered: most people write again."""
    return _bytes_of(field, _remembered_bytes)


_UNPINNED_UNCOUNTED: Final[dict[str, tuple[Any, Any]]] = {
    "pinned_at": (None, None),
    "reaction_counts": (dict[str, int], {}),
}
"""The fields of a message that has no pin and no reactions: nobody could change it before it was stored."""
MESSAGE: Final = RecordKind(
    struct=MessagePosted,
    title="A new message",
    example=examples.POSTED,
    key=CONVERSATION,
    header=Header(
        NEW_MESSAGE,
        {
            "message": (ID, _bytes_of("id")),
            "sender": (ACTOR, _person_of("sender_id")),
            "digest": (DIGEST, lambda event: digest(event.content, event.reply_to)),
        },
    ),
    example_header=examples.POSTED_HEADER,
    judging=Judging.ONCE,
    push=Push(
        "A new message. Drop it if you know its id.",
        places=("position", "changed"),
        constants={"edited_at": (None, None), "deleted": (bool, False), "reactions": (dict[str, list[str]], {})}
        | _UNPINNED_UNCOUNTED,
        shapes={"content": Annotated[str, msgspec.Meta(max_length=CONTENT_MOST)]},  # empty in a replay, once deleted
    ),
    storing=Storing.MESSAGE,
)
MESSAGE_CHANGED: Final = RecordKind(
    struct=MessageChanged,
    title="A message is different",
    example=examples.CHANGED,
    key=CONVERSATION,
    header=Header(WHOLE_MESSAGE, {"message": (ID, _bytes_of("id"))}),
    example_header=examples.CHANGED_HEADER,
    judging=Judging.IN_FORCE,
    push=Push(
        "A changed message. Apply it if its `changed` is newer than your copy's.",
        places=("changed",),
        constants=_UNPINNED_UNCOUNTED,
    ),
    storing=Fold({"content": "text", "edited_at": "timestamptz", "deleted": "bool"}),
)


def _change(
    struct: type[msgspec.Struct],
    byte: int,
    *,
    title: str,
    example: msgspec.Struct,
    digest_of: Callable[[Any], bytes],
    push: str,
    actor: str = "by_id",
) -> RecordKind:
    """Returns the kind of a change of a message. `actor` is the field of the actor's id."""
    return RecordKind(
        struct=struct,
        title=title,
        example=example,
        key=CONVERSATION,
        header=Header(
            byte,
            {"actor": (ACTOR, _person_of(actor)), "message": (TARGET, _bytes_of("id")), "digest": (DIGEST, digest_of)},
            has_check=True,
        ),
        example_header=examples.change_header(byte, digest_of(example)),
        judging=Judging.CHANGE,
        push=Push(push),
        storing=Storing.CHANGE,
    )


MESSAGE_EDITED: Final = _change(
    MessageEdited,
    EDITED,
    title="A message was edited",
    example=examples.EDITED,
    digest_of=lambda event: digest_edit(event.content),
    push="A message has another text. Apply it if its `pos` is after your copy's `changed`.",
)
MESSAGE_DELETED: Final = _change(
    MessageDeleted,
    DELETED,
    title="A message was deleted",
    example=examples.DELETED,
    digest_of=lambda _: DELETION_DIGEST,
    push="A message is deleted, for good. Drop its text, mentions, reactions and pin.",
)
REACTION_CHANGED: Final = _change(
    ReactionChanged,
    REACTION,
    title="A reaction was added or taken back",
    example=examples.REACTED,
    digest_of=lambda event: digest_reaction(event.emoji, on=event.on),
    push="A reaction was added, or taken back. Apply it if its `pos` is after your copy's `changed`.",
    actor="user_id",
)
MESSAGE_PINNED: Final = _change(
    MessagePinned,
    PINNED,
    title="A message was pinned or unpinned",
    example=examples.PINNED_MESSAGE,
    digest_of=lambda event: digest_pin(on=event.on),
    push="A message was pinned, or unpinned. Apply it if its `pos` is after your copy's `changed`.",
)
MARKER_MOVED: Final = RecordKind(
    struct=MarkerMoved,
    title="A person has received or read messages",
    example=examples.MARKED,
    key=CONVERSATION,
    header=Header(
        MARKER,
        {
            "user": (ACTOR, _person_of("user_id")),
            "read": (READ, lambda event: place_bytes(event.read, 16)),
            "delivered": (DELIVERED, lambda event: place_bytes(event.delivered, 15)),
        },
    ),
    example_header=examples.MARKED_HEADER,
    judging=Judging.MARKER,
    push=Push("A person has received or read a conversation up to these positions. For each, the highest counts."),
    storing=Storing.MARKER,
)
MEMBERS_CHANGED: Final = RecordKind(
    struct=MembersChanged,
    title="Members have changed",
    example=examples.MEMBERS,
    key=MEMBERS,
    judging=Judging.STANDINGS,
    push=Push("A conversation's members have changed. For each person, the highest version counts."),
    storing=Storing.STANDINGS,
)
USER_CHANGED: Final = RecordKind(
    struct=UserChanged,
    title="A person's credentials have ended",
    example=examples.ENDED,
    key=PERSON,
    judging=Judging.CREDENTIALS,
    storing=Storing.NOTHING,
)
INVITATION_CHANGED: Final = RecordKind(
    struct=InvitationChanged,
    title="An invitation is new or has ended",
    example=examples.INVITED,
    key=INVITATIONS,
    judging=Judging.PERSONAL,
    push=Push("You are invited to a group, or an invitation of yours has ended. The highest version counts."),
    storing=Storing.NOTHING,
)

KINDS: Final = Kinds(
    MESSAGE,
    MESSAGE_CHANGED,
    MESSAGE_EDITED,
    MESSAGE_DELETED,
    REACTION_CHANGED,
    MESSAGE_PINNED,
    MARKER_MOVED,
    MEMBERS_CHANGED,
    USER_CHANGED,
    INVITATION_CHANGED,
)
