"""People, conversations and the records of what is said in them, made as the product makes them; for all tests."""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import msgspec

from klatsch.accounts.queries import Person
from klatsch.conversations.access import Access
from klatsch.core.clock import timestamp
from klatsch.core.ids import direct_conversation_id, message_id, uuid7
from klatsch.eventlog.log import Entry, Record
from klatsch.eventlog.memory import MemoryLog
from klatsch.eventlog.partitions import partition_of
from klatsch.records.decoding import decode
from klatsch.records.header import NEW_MESSAGE, WHOLE_MESSAGE, make_header
from klatsch.records.invitations import InvitationChanged, InvitationState
from klatsch.records.keys import INVITATIONS, MEMBERS, PERSON
from klatsch.records.markers import MarkerMoved, marker_header
from klatsch.records.members import MembersChanged, Membership
from klatsch.records.messages import MessageChanged, MessagePosted, digest
from klatsch.records.people import UserChanged, credential_digest
from klatsch.records.values import encode

NOW_MS = 1_795_464_000_000
"""2026-11-23T20:00:00Z, when most of what is said in tests is said."""


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person, as messages name them."""

    id: UUID
    name: str

    @property
    def user_id(self) -> str:
        return str(self.id)


ANA = Somebody(UUID("0a000000-0000-4000-8000-00000000000a"), "ana")
BOB = Somebody(UUID("0b000000-0000-4000-8000-00000000000b"), "bob")
CLEO = Somebody(UUID("0c000000-0000-4000-8000-00000000000c"), "cleo")
PEOPLE = (ANA, BOB, CLEO)

TEA = UUID("7ea00000-0000-4000-8000-000000000001")
"""A group."""
COFFEE = UUID("c0ffee00-0000-4000-8000-000000000002")
"""Another group."""


def in_group(sender: Somebody, conversation: UUID = TEA) -> Access:
    """Returns the right of `sender` to write into a group."""
    return Access.of(conversation=conversation, kind="group", sender=Person(sender.id, sender.name), receiver=None)


def direct(sender: Somebody, receiver: Somebody) -> Access:
    """Returns the right of `sender` to write to `receiver`."""
    return Access.of(
        conversation=direct_conversation_id(sender.id, receiver.id),
        kind="direct",
        sender=Person(sender.id, sender.name),
        receiver=Person(receiver.id, receiver.name),
    )


def fresh_client_id(now_ms: int = NOW_MS) -> str:
    return uuid7(now_ms)


def posted(
    access: Access, content: str, *, client_id: str, reply_to: str | None = None, now_ms: int = NOW_MS
) -> MessagePosted:
    """Returns the decoded value of a message's record."""
    return MessagePosted(
        id=str(UUID(bytes=message_id(access.conversation_bytes, access.sender_bytes, client_id))),
        client_id=client_id,
        conversation=access.conversation,
        sender=access.sender,
        sender_id=access.sender_id,
        receiver=access.receiver,
        receiver_id=access.receiver_id,
        content=content,
        sent_at=timestamp(now_ms),
        reply_to=reply_to,
    )


def entry_of(event: MessagePosted) -> Entry:
    """Returns the entry of any message, also of one that no gateway would have let pass."""
    body = digest(event.content, event.reply_to)
    header = make_header(NEW_MESSAGE, UUID(event.id).bytes, UUID(event.sender_id).bytes, body)
    return Entry(event.conversation.encode(), encode(event), header)


def message(access: Access, content: str = "hi", *, client_id: str | None = None) -> Entry:
    """Returns the entry of a message; with an earlier `client_id`, of that message again."""
    return entry_of(posted(access, content, client_id=client_id or fresh_client_id()))


def change_of(original: MessagePosted, content: str, *, position: str, actor: Somebody | None = None) -> Entry:
    """Returns the entry of an edit."""
    fields = msgspec.structs.asdict(original)
    event = MessageChanged(**fields | {"content": content, "position": position, "edited_at": original.sent_at})
    by = actor.id.bytes if actor else UUID(event.sender_id).bytes
    header = make_header(WHOLE_MESSAGE, UUID(event.id).bytes, by)
    return Entry(event.conversation.encode(), encode(event), header)


def standing(person: Somebody, version: int, *, active: bool) -> Membership:
    return Membership(user=person.name, user_id=person.user_id, active=active, role="member", version=version)


def members(*standings: Membership, conversation: UUID = TEA, kind: Literal["direct", "group"] = "group") -> Entry:
    """Returns the entry that tells of these people's standings."""
    event = MembersChanged(conversation=str(conversation), kind=kind, title="Tea", members=list(standings))
    return Entry(MEMBERS.of(event.conversation), encode(event), place=event.conversation.encode())


def blocked(somebody: Somebody | None, version: int) -> Entry:
    """Returns the record that Ana or Bob was blocked by the other, or that neither is."""
    both = [
        Membership(one.name, one.user_id, active=True, role="member", version=version, blocked=one is somebody)
        for one in (ANA, BOB)
    ]
    return members(*both, conversation=UUID(direct(ANA, BOB).conversation), kind="direct")


def added(person: Somebody, version: int = 1, *, conversation: UUID = TEA) -> Entry:
    return members(standing(person, version, active=True), conversation=conversation)


def removed(person: Somebody, version: int = 2, *, conversation: UUID = TEA) -> Entry:
    return members(standing(person, version, active=False), conversation=conversation)


def marked(person: Somebody, *, conversation: UUID = TEA, own_only: bool = False, **says: str | None) -> Entry:
    """Returns the entry that tells how far `person` has got: `read`, `delivered`, `unread_from`."""
    fields: dict[str, Any] = says
    event = MarkerMoved(conversation=str(conversation), user=person.name, user_id=person.user_id, **fields)
    return Entry(event.conversation.encode(), encode(event), marker_header(event, own_only=own_only))


def invited(person: Somebody, version: int = 1, *, state: InvitationState = "open", inviter: Somebody = BOB) -> Entry:
    """Returns the entry that tells of an invitation to TEA."""
    event = InvitationChanged(
        id=str(UUID(int=person.id.int ^ TEA.int)),
        conversation=str(TEA),
        title="Tea",
        description="",
        member_count=2,
        user=person.name,
        user_id=person.user_id,
        invited_by=inviter.name,
        state=state,
        created_at=timestamp(NOW_MS),
        expires_at=timestamp(NOW_MS + 1),
        version=version,
    )
    return Entry(INVITATIONS.of(event.user_id), encode(event), place=PERSON.of(event.user_id))


def ended(person: Somebody, *credentials: str) -> Entry:
    """Returns the entry that tells of ended credentials, by their secrets; with none, that the person has left."""
    event = UserChanged(
        user=person.name,
        user_id=person.user_id,
        what="ended" if credentials else "deactivated",
        credentials=[credential_digest(credential) for credential in credentials] or "all",
    )
    return Entry(PERSON.of(person.user_id), encode(event))


def place(entry: Entry, offset: int, *, partitions: int = 1) -> Record:
    """Returns the record of the entry at that offset."""
    partition = partition_of(entry.place if entry.place is not None else entry.key, partitions)
    return Record(partition, offset, entry.key, entry.value, entry.judge)


def records_of(*entries: Entry, partitions: int = 1) -> list[Record]:
    """Returns the records that a new log holds after these entries, in the order appended."""
    log = MemoryLog(partitions)
    return [log.append(entry) for entry in entries]


def members_event(record: Record) -> MembersChanged:
    """Returns the decoded value of a membership record."""
    event = decode(record)
    assert isinstance(event, MembersChanged)
    return event
