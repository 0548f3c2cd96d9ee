"""One record of each kind, as documents show it."""

from typing import Any, Final
from uuid import UUID

import msgspec

from klatsch.core.ids import direct_conversation_id, message_id
from klatsch.records.changes import MessageDeleted, MessageEdited, MessagePinned, ReactionChanged
from klatsch.records.header import NEW_MESSAGE, WHOLE_MESSAGE, Check, make_header
from klatsch.records.invitations import InvitationChanged
from klatsch.records.markers import MarkerMoved, marker_header
from klatsch.records.members import MembersChanged, Membership
from klatsch.records.messages import MessageChanged, MessagePosted, digest
from klatsch.records.people import UserChanged, credential_digest
from klatsch.records.signals import PresenceSignal, TypingSignal

ANA: Final = UUID("0a000000-0000-4000-8000-00000000000a")
BOB: Final = UUID("0b000000-0000-4000-8000-00000000000b")
CLIENT_ID: Final = "019f8a3c-5f00-7abc-9def-0123456789ab"
NOW: Final = "2026-11-23T20:00:00.000Z"
POSITION: Final = "1:3:91830"
_CONVERSATION: Final = direct_conversation_id(ANA, BOB)
_ID: Final = message_id(_CONVERSATION.bytes, ANA.bytes, CLIENT_ID)

POSTED: Final = MessagePosted(
    id=str(UUID(bytes=_ID)),
    client_id=CLIENT_ID,
    conversation=str(_CONVERSATION),
    sender="ana",
    sender_id=str(ANA),
    receiver="bob",
    receiver_id=str(BOB),
    content="hi",
    sent_at=NOW,
)
POSTED_HEADER: Final = make_header(NEW_MESSAGE, _ID, ANA.bytes, digest("hi", None))
CHANGED: Final = MessageChanged(
    **msgspec.structs.asdict(POSTED) | {"content": "Hi!", "position": POSITION, "edited_at": NOW}
)
CHANGED_HEADER: Final = make_header(WHOLE_MESSAGE, _ID, ANA.bytes)
MARKED: Final = MarkerMoved(
    conversation=str(_CONVERSATION), user="bob", user_id=str(BOB), delivered=POSITION, read=POSITION
)
MARKED_HEADER: Final = marker_header(MARKED, own_only=False)
_CHANGED_MESSAGE: Final[dict[str, Any]] = {"id": POSTED.id, "conversation": POSTED.conversation}
_BY_ANA: Final[dict[str, Any]] = {"by": "ana", "by_id": str(ANA)}
EDITED: Final = MessageEdited(**_CHANGED_MESSAGE, **_BY_ANA, content="Hi!", mentions=[], edited_at=NOW)
DELETED: Final = MessageDeleted(**_CHANGED_MESSAGE, **_BY_ANA, deleted_at=NOW)
REACTED: Final = ReactionChanged(**_CHANGED_MESSAGE, emoji="👍", on=True, user="ana", user_id=str(ANA))
PINNED_MESSAGE: Final = MessagePinned(**_CHANGED_MESSAGE, **_BY_ANA, on=True, at=NOW)


def change_header(byte: int, digest: bytes) -> bytes:
    """Returns the header of a change of the example's message by ana."""
    own_id = message_id(_CONVERSATION.bytes, ANA.bytes, "019f8a3c-7f00-7abc-9def-0123456789ab")
    return make_header(byte, own_id, ANA.bytes, digest, _ID, Check(1_795_464_000_000).encode())


MEMBERS: Final = MembersChanged(
    conversation="7ea00000-0000-4000-8000-000000000001",
    kind="group",
    title="Tea",
    members=[Membership(user="bob", user_id=str(BOB), active=True, role="member", version=1)],
    member_count=3,
    description="Every day at four.",
    version=4,
)
INVITED: Final = InvitationChanged(
    id="1a000000-0000-4000-8000-000000000001",
    conversation=MEMBERS.conversation,
    title=MEMBERS.title,
    description="Every day at four.",
    member_count=3,
    user="ana",
    user_id=str(ANA),
    invited_by="bob",
    state="open",
    created_at=NOW,
    expires_at="2026-12-23T20:00:00.000Z",
    version=1,
)
ENDED: Final = UserChanged(user="ana", user_id=str(ANA), what="ended", credentials=[credential_digest("a session")])
TYPING: Final = TypingSignal(conversation=str(_CONVERSATION), user="bob", user_id=str(BOB), on=True)
PRESENCE: Final = PresenceSignal(gateway="9a7e0000-0000-4000-8000-000000000001", online=[str(BOB)])
