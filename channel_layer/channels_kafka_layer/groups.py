"""The groups of a node's own channels: two dictionaries. No I/O."""

from collections.abc import Iterable


class Groups:
    """Memberships of specific channels, found from either side. A group or channel without any is not kept."""

    def __init__(self) -> None:
        self._members: dict[str, dict[str, None]] = {}
        self._groups: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._members)

    def add(self, group: str, channel: str) -> bool:
        """Makes a channel a member; returns whether it is the group's first."""
        is_first = group not in self._members
        self._members.setdefault(group, {})[channel] = None
        self._groups.setdefault(channel, set()).add(group)
        return is_first

    def discard(self, group: str, channel: str) -> bool:
        """Ends a membership, where there is one; returns whether the group ended with it."""
        members = self._members.get(group)
        if members is None or channel not in members:
            return False
        del members[channel]
        of_channel = self._groups[channel]
        of_channel.remove(group)
        if not of_channel:
            del self._groups[channel]
        if not members:
            del self._members[group]
        return not members

    def members(self, group: str) -> Iterable[str]:
        return self._members.get(group, ())

    def end(self, channel: str) -> list[str]:
        """Ends all memberships of a channel; returns the groups that ended with them."""
        return [group for group in tuple(self._groups.get(channel, ())) if self.discard(group, channel)]

    def clear(self) -> list[str]:
        """Ends all memberships; returns all groups."""
        ended = list(self._members)
        self._members.clear()
        self._groups.clear()
        return ended
