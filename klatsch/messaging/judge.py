"""Judging the log in order: who was out of a conversation when a record was appended (D4, D5). Gateways and persisters
share these rules, so that all agree on what is void.
"""

from collections.abc import Iterable

from klatsch.messaging.events import MEMBERS_PREFIX, MembersChanged, Membership


class Memberships:
    """Who has been removed from where, as the records say it; of a person's versions the highest is true.

    Being in is the default: only a removal makes a record void, never the want of an addition. So nothing is kept of
    people who were never removed, and a repeated or late record of a lower version changes nothing.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, dict[str, tuple[int, bool]]] = {}
        self._removed: dict[bytes, set[bytes]] = {}

    def load(self, conversation: str, user_id: str, version: int, *, active: bool) -> None:
        """Takes what the archive says; a higher version that a record brought stands."""
        self._take(conversation.encode("ascii"), user_id, version, active=active)

    def apply(self, event: MembersChanged) -> list[Membership]:
        """Takes a record, and returns those of its changes that are not overtaken by a higher version."""
        key = event.conversation.encode("ascii")
        return [m for m in event.members if self._take(key, m.user_id, m.version, active=m.active)]

    def is_removed(self, key: bytes, sender: bytes) -> bool:
        """Whether what `sender` (16 bytes) appends to the conversation of that key is void."""
        removed = self._removed.get(key)
        return removed is not None and sender in removed

    def forget(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            conversation = key.removeprefix(MEMBERS_PREFIX)
            self._known.pop(conversation, None)
            self._removed.pop(conversation, None)

    def _take(self, key: bytes, user_id: str, version: int, *, active: bool) -> bool:
        known = self._known.get(key)
        if known is not None and user_id in known and known[user_id][0] >= version:
            return known[user_id] == (version, active)
        if version == 1 and active:
            return True  # somebody's first addition: what is true of everybody who is not known
        self._known.setdefault(key, {})[user_id] = (version, active)
        removed = self._removed.setdefault(key, set())
        person = bytes.fromhex(user_id.replace("-", ""))
        if active:
            removed.discard(person)
        else:
            removed.add(person)
        return True
