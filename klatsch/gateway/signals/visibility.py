"""Decides who may see whose presence: only people who share a conversation."""

from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from klatsch.core.ids import direct_conversation_id, uuid_bytes
from klatsch.gateway.hub import ConnectedPerson
from klatsch.records.judge import Verdict

_SCANNED_MOST = 200
"""The conversations of a person that are compared in memory, about 10 µs. With more, PostgreSQL is asked."""
MYSELF = b""
"""Stands for a shared conversation where a person shows themselves."""


class Judge(Protocol):
    """The removals and blocks that the feed has read."""

    def find_void(self, key: bytes, actor: bytes) -> Verdict | None: ...


def may_see(viewer: ConnectedPerson, actor: bytes, shared: bytes, judge: Judge) -> bool:
    """Returns whether the viewer may see the presence of a person by a conversation that they shared before.

    `actor` is the id (16 bytes) of that person. The viewer must not be blocked there; the person may be, by the viewer.
    """
    if shared == MYSELF:
        return uuid_bytes(viewer.user_id) == actor
    if shared not in viewer.access or judge.find_void(shared, actor) is Verdict.REMOVED:
        return False
    return judge.find_void(shared, uuid_bytes(viewer.user_id)) is None


def is_overtaken(viewer: ConnectedPerson, user_id: str, shared: bytes, judge: Judge) -> bool:
    """Returns whether records forbid what PostgreSQL answered: it may have been asked before, and answered after them.

    They tell that the person has blocked the viewer, or that one of the two was removed from the shared conversation.
    """
    actor, me = uuid_bytes(user_id), uuid_bytes(viewer.user_id)
    if judge.find_void(direct_key(user_id, viewer.user_id), me) is Verdict.BLOCKED:
        return True
    return Verdict.REMOVED in {judge.find_void(shared, actor), judge.find_void(shared, me)}


def direct_key(one_id: str, other_id: str) -> bytes:
    """Returns the key of two people's direct conversation."""
    return str(direct_conversation_id(UUID(one_id), UUID(other_id))).encode("ascii")


def may_be_blocked(viewer: ConnectedPerson, user_id: str) -> bool:
    """Returns whether the two may be unable to write to each other: one may have blocked the other."""
    if len(viewer.writable) == len(viewer.access):
        return False
    direct = direct_key(viewer.user_id, user_id)
    return direct in viewer.access and direct not in viewer.writable


def find_shared(viewer: ConnectedPerson, person: ConnectedPerson) -> bytes | None:
    """Returns a conversation that two connected people share, as far as a short look into memory tells.

    None where one may have blocked the other: PostgreSQL knows.
    """
    if may_be_blocked(viewer, person.user_id):
        return None
    few, many = viewer.access, person.access
    if len(few) > len(many):
        few, many = many, few
    if len(few) > _SCANNED_MOST:
        return None
    return next((key for key in few if key in many), None)


def find_common(viewer: ConnectedPerson, user_id: str, conversations: Iterable[bytes]) -> bytes | None:
    """Returns one of a person's conversations that the viewer is in too; None where one may have blocked the other."""
    for key in conversations:
        if key in viewer.access:
            return None if may_be_blocked(viewer, user_id) else key
    return None
