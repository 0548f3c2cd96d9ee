"""The people who are online at other gateways, by what these say. No I/O."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from klatsch.core.metrics import SIGNALS_DROPPED
from klatsch.gateway.signals.own_people import GRACE_S

KEPT_S: Final = 90.0
"""The time that a person counts as online after a gateway named them last: three of its full lists may be lost."""
PEOPLE_MOST: Final = 200_000
GATEWAYS_MOST: Final = 256


@dataclass(slots=True, eq=False)
class _Gateway:
    """A gateway's people with the time when it last named them, oldest first. `ends_s` is set when it leaves."""

    people: dict[str, float] = field(default_factory=dict)
    seen_s: float = 0.0
    ends_s: float | None = None


class Elsewhere:
    """Knows at most `people_most` people of at most `GATEWAYS_MOST` gateways: further ones count as offline."""

    def __init__(self, kept_s: float = KEPT_S, grace_s: float = GRACE_S, people_most: int = PEOPLE_MOST) -> None:
        self._kept_s = kept_s
        self._grace_s = grace_s
        self._people_most = people_most
        self._gateways: dict[str, _Gateway] = {}
        self.size = 0
        """The number of people, each counted once for each of their gateways."""

    def is_online(self, user_id: str) -> bool:
        return any(user_id in gateway.people for gateway in self._gateways.values())

    def take(
        self, name: str, online: Collection[str], offline: Collection[str], now_s: float, *, leaving: bool = False
    ) -> bool:
        """Takes a record of another gateway; returns whether that gateway was unknown before."""
        gateway = self._gateways.get(name)
        is_new = gateway is None
        if gateway is None:
            if len(self._gateways) >= GATEWAYS_MOST:
                SIGNALS_DROPPED.labels("full").inc()
                return False
            gateway = self._gateways[name] = _Gateway()
        gateway.seen_s = now_s
        people = gateway.people
        before = len(people)
        room = self._people_most - self.size + before
        for user_id in online:
            if people.pop(user_id, None) is not None or len(people) < room:
                people[user_id] = now_s
            else:
                SIGNALS_DROPPED.labels("full").inc()
        for user_id in offline:
            people.pop(user_id, None)
        self.size += len(people) - before
        if leaving:
            gateway.ends_s = now_s + self._grace_s
        return is_new

    def expire(self, now_s: float) -> list[str]:
        """Returns the people whom a gateway has not named for too long, or whose gateway has ended, and forgets them.

        They may still be online at another gateway.
        """
        ended: list[str] = []
        for name, gateway in list(self._gateways.items()):
            if gateway.ends_s is not None and gateway.ends_s <= now_s:
                ended += gateway.people
                self.size -= len(gateway.people)
                del self._gateways[name]
                continue
            old = self._old(gateway, now_s)
            for user_id in old:
                del gateway.people[user_id]
            self.size -= len(old)
            ended += old
            if not gateway.people and gateway.seen_s <= now_s - self._kept_s:
                del self._gateways[name]
        return ended

    def _old(self, gateway: _Gateway, now_s: float) -> list[str]:
        old: list[str] = []
        for user_id, seen_s in gateway.people.items():
            if seen_s > now_s - self._kept_s:
                break
            old.append(user_id)
        return old
