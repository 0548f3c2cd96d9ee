"""The people who are connected to this gateway, with the grace after their last connection. No I/O."""

from collections.abc import Iterator
from typing import Final

GRACE_S: Final = 15.0
"""The time that a person stays online after their last connection: reconnecting shows nobody anything."""


class OwnPeople:
    """Counts the WebSockets of each person. Time is an argument, in monotonic seconds."""

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        self._connections: dict[str, int] = {}
        self._leaving: dict[str, float] = {}  # by the time of their last connection's end
        self._arrived: dict[str, None] = {}

    def __iter__(self) -> Iterator[str]:
        yield from self._connections
        yield from self._leaving

    def is_online(self, user_id: str) -> bool:
        return user_id in self._connections or user_id in self._leaving

    def arrive(self, user_id: str) -> bool:
        """Counts one more connection; returns whether the person has come online by it."""
        count = self._connections[user_id] = self._connections.get(user_id, 0) + 1
        if count > 1 or self._leaving.pop(user_id, None) is not None:
            return False
        self._arrived[user_id] = None
        return True

    def leave(self, user_id: str, now_s: float) -> bool:
        """Counts one connection less; returns whether it was the last one, with which the grace begins."""
        self._connections[user_id] -= 1
        if self._connections[user_id]:
            return False
        del self._connections[user_id]
        self._leaving[user_id] = now_s
        return True

    def take_changes(self, now_s: float) -> tuple[list[str], list[str]]:
        """Returns who has come online since the last call, and whose grace has passed."""
        departed: list[str] = []
        for user_id, since_s in self._leaving.items():
            if since_s > now_s - self._grace_s:
                break
            departed.append(user_id)
        for user_id in departed:
            del self._leaving[user_id]
            self._arrived.pop(user_id, None)
        arrived, self._arrived = list(self._arrived), {}
        return arrived, departed
