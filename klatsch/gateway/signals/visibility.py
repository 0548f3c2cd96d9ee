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


def may_see(viewer: ConnectedPerson, user_id: str, shared: bytes, judge: Judge) -> bool:
    """Returns whether the viewer may see the presence of that person, with whom they shared that conversation before.

    The place for every later rule: this is asked whenever a presence is about to be told.
    """
    if shared == MYSELF:
        return viewer.user_id == user_id
    if shared not in viewer.access:
        return False
    return all(
        judge.find_void(shared, bytes.fromhex(one.replace("-", ""))) is None for one in (user_id, viewer.user_id)
    )


def find_shared(viewer: ConnectedPerson, person: ConnectedPerson) -> bytes | None:
    """Returns a conversation that two connected people share, as far as a short look into memory tells.

    None where they cannot write to each other in their direct conversation: one may have blocked the other, and
    PostgreSQL knows.
    """
    direct = str(direct_conversation_id(UUID(viewer.user_id), UUID(person.user_id))).encode("ascii")
    if direct in viewer.access:
        return direct if direct in viewer.writable else None
    fewer, more = sorted((viewer.access, person.access), key=len)
    if len(fewer) > _SCANNED_MOST:
        return None
    return next((key for key in fewer if key in more), None)
