"""The op `mark`: how far a person has received and read a conversation, answered at once (D19)."""

import time

from klatsch.eventlog.places import Position
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.hub import ConnectedPerson, Hub
from klatsch.gateway.language import protocol
from klatsch.gateway.language.requests import MarkFrame
from klatsch.gateway.lookups import Lookups, parse_conversation_id
from klatsch.gateway.outbox import Outbox
from klatsch.messaging.marking import Marking
from klatsch.messaging.marks import Whose, check_mark, is_after


class MarkOp:
    """Answers marks from memory. A person's first mark in a conversation asks PostgreSQL for their marker."""

    def __init__(self, *, hub: Hub, feed: Feed, marking: Marking, lookups: Lookups) -> None:
        self._hub = hub
        self._feed = feed
        self._marking = marking
        self._lookups = lookups

    async def mark(self, person: ConnectedPerson, outbox: Outbox, frame: MarkFrame) -> None:
        """Moves the person's marker and answers it as it is then; raises BadRequest, NotFound, Unavailable."""
        body = frame.d
        key = body.conversation.encode()
        access = person.access.get(key)
        if access is None:
            parse_conversation_id(body.conversation)
        mark = check_mark(
            key=key,
            delivered=body.delivered,
            read=body.read,
            epoch=self._feed.epoch,
            partitions=len(self._feed.offsets),
        )
        whose = Whose(body.conversation, person.username, person.user_id)
        if access is None or self._marking.find(whose) is None:
            await self._load(person, whose)
        last = self._last(whose)
        if is_after(mark.read, last) or is_after(mark.delivered, last):
            await self._load(person, whose)  # memory may have dropped the newest message by now
            last = self._last(whose)
        count = self._hub.member_counts.get(key)
        now = self._marking.mark(whose, mark, last=last, member_count=count, now_s=time.monotonic())
        positions = {"delivered": now.delivered, "read": now.read}
        outbox.answer(protocol.ok(frame.id, {name: place and str(place) for name, place in positions.items()}))

    async def _load(self, person: ConnectedPerson, whose: Whose) -> None:
        self._marking.load(whose, await self._lookups.find_marker(person, whose.conversation))

    def _last(self, whose: Whose) -> Position | None:
        """Returns the place of the conversation's last message, as far as memory and archive have it."""
        known = self._marking.last_known(whose)
        record = self._feed.recent.last_message(whose.key)
        if record is None:
            return known
        recent = Position(self._feed.epoch, record.partition, record.offset)
        return recent if is_after(recent, known) else known
