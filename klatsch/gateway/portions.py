"""Splits a replay into portions that a socket takes at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from klatsch.archive.changes import ChangesPage, GroupState, MemberState
from klatsch.eventlog.log import Record
from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language import protocol
from klatsch.records.invitations import Invitation

T = TypeVar("T")
_CHUNK_BYTES: Final = 65_536
_FRAME_BYTES: Final = 200
"""The size of a frame besides its record's value."""


def size_of(found: tuple[bytes, Record]) -> int:
    """Returns the approximate size of the frame."""
    return len(found[1].value) + _FRAME_BYTES


def chunks(items: Iterable[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Yields the items in lists of about `_CHUNK_BYTES`."""
    chunk: list[T] = []
    size = 0
    for item in items:
        chunk.append(item)
        size += size_of(item)
        if size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def states_of(page: ChangesPage) -> Iterator[tuple[bytes | None, bytes]]:
    """Yields the pushes of a page: memberships before messages and markers, which only members may get."""
    for name, members in page.members.items():
        yield None, _members_state(name, members, page.groups.get(name))
    for message in page.messages:
        body = b'{"kind":"message",' + msgspec.json.encode(message)[1:]
        yield message.conversation.encode("ascii"), protocol.push_state(body)
    for marker in page.markers:
        body = b'{"kind":"marker",' + msgspec.json.encode(marker)[1:]
        yield marker.conversation.encode("ascii"), protocol.push_state(body)


def ended_states(person: ConnectedPerson, keys: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the pushes of the person's ended memberships in these conversations.

    The role is that of a person who is added again: the hub knows no roles, and an ended membership gives none.
    """
    for key in keys:
        version = person.versions[key]
        ended = MemberState(person.username, person.user_id, active=False, role="member", version=version)
        yield _members_state(key.decode("ascii"), [ended])


def _members_state(conversation: str, members: Sequence[MemberState], group: GroupState | None = None) -> bytes:
    body = {"kind": "members", "conversation": conversation, "members": members}
    return protocol.push_state(msgspec.json.encode(body | (msgspec.structs.asdict(group) if group else {})))


def invitation_states(invitations: Iterable[Invitation]) -> Iterator[bytes]:
    """Yields the pushes of invitations as they are now."""
    for invitation in invitations:
        yield protocol.push_state(b'{"kind":"invitation",' + msgspec.json.encode(invitation)[1:])
