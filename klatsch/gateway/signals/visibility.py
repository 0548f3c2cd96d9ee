"""Decides who may see whose presence: only people who share a conversation."""

from typing import Protocol
from uuid import UUID

from klatsch.core.ids import direct_conversation_id
from klatsch.gateway.hub import ConnectedPerson
from klatsch.records.judge import Verdict

_SCANNED_MOST = 200
"""The conversations of a person that are compared in memory, about 10 µs. With more, PostgreSQL is asked."""
MYSELF = b""
"""Stands for a shared conversation where a person shows themselves."""


class Judge(Protocol):
    """The removals and blocks that the feed has read."""

    def find_void(self, key: bytes, actor: bytes) -> Verdict | None: ...


def may_see(viewer: ConnectedPerson, actors: tuple[bytes, bytes], shared: bytes, judge: Judge) -> bool:
    """Returns whether the viewer may see the presence of a person, with whom they shared that conversation before.

    `actors` are the ids (16 bytes) of the viewer and of that person. The place for every later rule: this is asked
    whenever a presence is about to be told.
    """
    if shared == MYSELF:
        return actors[0] == actors[1]
    if shared not in viewer.access:
        return False
    return judge.find_void(shared, actors[0]) is None and judge.find_void(shared, actors[1]) is None


def find_shared(viewer: ConnectedPerson, person: ConnectedPerson) -> bytes | None:
    """Returns a conversation that two connected people share, as far as a short look into memory tells.

    None where they may be unable to write to each other: one may have blocked the other, and PostgreSQL knows.
    """
    if len(viewer.writable) < len(viewer.access):
        direct = str(direct_conversation_id(UUID(viewer.user_id), UUID(person.user_id))).encode("ascii")
        if direct in viewer.access and direct not in viewer.writable:
            return None
    few, many = viewer.access, person.access
    if len(few) > len(many):
        few, many = many, few
    if len(few) > _SCANNED_MOST:
        return None
    return next((key for key in few if key in many), None)
