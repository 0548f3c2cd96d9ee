"""Markers at a feed: pushed where they are higher than a known one (D19)."""

from collections.abc import Collection
from typing import Protocol

from klatsch.core.ids import uuid_text
from klatsch.eventlog.log import Record
from klatsch.gateway.feed.recent import Recent
from klatsch.gateway.feed.tally import Tally
from klatsch.gateway.feed.telling import Telling, push_to
from klatsch.gateway.hub import ConnectedPerson, Hub
from klatsch.records.decoding import is_sound
from klatsch.records.header import judged_actor
from klatsch.records.judge import Memberships, Verdict
from klatsch.records.keys import PERSON
from klatsch.records.kind import RecordKind
from klatsch.records.markers import is_own_only, is_possible, moves


class MarkerListener(Protocol):
    """Learns of markers, and of people's choice whether others see theirs. It decodes the markers that it holds."""

    def holds(self, record: Record) -> bool: ...

    def learn(self, record: Record) -> None: ...

    def learn_receipts(self, user_id: str, *, is_shown: bool) -> None: ...


class MarkerRecords:
    """Applies markers. `markers` is told of each marker that is not ignored."""

    def __init__(
        self,
        *,
        epoch: int,
        telling: Telling,
        hub: Hub,
        recent: Recent,
        memberships: Memberships,
        tally: Tally,
        markers: MarkerListener | None,
    ) -> None:
        self._epoch = epoch
        self._telling = telling
        self._hub = hub
        self._recent = recent
        self._memberships = memberships
        self._tally = tally
        self._markers = markers

    def apply(self, record: Record, kind: RecordKind) -> None:
        """Pushes a marker unless it is lower than a known one. A blocked person's goes to their own connections only.

        It is remembered undecoded where nobody listens and `markers` does not hold it: a replay checks it.
        """
        why = self._memberships.find_void(record.key, judged_actor(record.judge))
        if why is Verdict.REMOVED or not is_possible(record, self._epoch):
            self._tally.void += 1
            return
        key, audience = self._find_audience(record, own_only=why is not None or is_own_only(record.judge))
        markers = self._markers
        held = None if markers is None or not markers.holds(record) else markers
        if (audience or held) and not is_sound(record, kind, self._telling.kinds):
            self._telling.skip(record)
            return
        if not moves(record.judge):
            self._recent.add(key, record)
        elif not self._recent.add_marker(key, record):
            return
        if held is not None:
            held.learn(record)
        if audience:
            push_to(audience, self._telling.frame(record, kind))

    def _find_audience(self, record: Record, *, own_only: bool) -> tuple[bytes, Collection[ConnectedPerson]]:
        """Returns the key under which replays find the marker, and the people here who are shown it."""
        if not own_only:
            return record.key, self._hub.audiences.get(record.key, ())
        user_id = uuid_text(judged_actor(record.judge))
        person = self._hub.people.get(user_id)
        return PERSON.of(user_id), () if person is None else (person,)
