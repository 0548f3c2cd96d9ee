"""Changes of messages: from a client's frame to the log, with a look at the message in the archive before (D18)."""

from dataclasses import dataclass

from klatsch.archive.details import no_such_message
from klatsch.archive.progress import ReachableProgress
from klatsch.archive.targets import Facts, Wanted, find_own, read_facts
from klatsch.core.clock import Clock
from klatsch.core.errors import BadRequest, FieldError, KlatschError, NotArchivedYet
from klatsch.core.ids import is_fresh, is_uuid, uuid_bytes, uuid_text
from klatsch.core.metrics import ANSWERED
from klatsch.eventlog.log import LogWriter
from klatsch.eventlog.partitions import partition_of
from klatsch.eventlog.places import Position
from klatsch.gateway.database import DatabaseThreads
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.feed.reaching import wait_until_read
from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language import protocol
from klatsch.gateway.language.requests import ChangeFrame, DeleteFrame, EditFrame, ReactFrame
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.sending import Sending
from klatsch.messaging.changing import (
    Delete,
    Edit,
    Pin,
    React,
    Wish,
    change_message,
    check_change,
    check_facts,
    check_own,
    identify_change,
    naming_in,
    with_mentions,
)
from klatsch.messaging.mentions import find_mentions


@dataclass(frozen=True, slots=True)
class _Checked:
    """The facts about a message, and the time at which the log held nothing newer about it."""

    facts: Facts
    at_ms: int


class Changing:
    """Appends what clients change; `gateway.feed.feed` answers.

    Feeds know each use of a `client_id` that was made since `fresh_since_ms`, in ms (`Epoch.fresh_since_ms`).
    `wait_s` bounds the wait for the archive to reach what the feed has read. `edit_window_s` is how long a message may
    be edited; 0 means for ever.
    """

    def __init__(
        self,
        *,
        feed: Feed,
        sending: Sending,
        log: LogWriter,
        database: DatabaseThreads,
        progress: ReachableProgress,
        clock: Clock,
        fresh_since_ms: int,
        wait_s: float,
        edit_window_s: int,
    ) -> None:
        self._feed = feed
        self._sending = sending
        self._log = log
        self._database = database
        self._progress = progress
        self._clock = clock
        self._fresh_since_ms = fresh_since_ms
        self._wait_s = wait_s
        self._edit_window_s = edit_window_s

    async def change(self, person: ConnectedPerson, outbox: Outbox, frame: ChangeFrame) -> None:
        """Appends a change; the feed answers when it reads it back. After a KlatschError nothing was appended."""
        self._sending.check_may_append(person, outbox)
        wish, client_id = _wish_of(frame), frame.d.client_id
        check_change(wish, client_id)
        checked = await self._check(person, _read_target(frame.d.message), _read_position(frame.d.position))
        facts = checked.facts
        self._sending.check_audience(facts.key, facts.user_id, facts.member_count)
        fresh = is_fresh(client_id, self._clock(), self._fresh_since_ms)
        if not fresh and await self._answer_earlier(facts, wish, outbox, frame):
            return
        try:
            check_facts(wish, facts, now_ms=self._clock(), edit_window_s=self._edit_window_s)
        except KlatschError:  # perhaps because of this very change: a retry after `unknown`
            if await self._answer_earlier(facts, wish, outbox, frame):
                return
            raise
        if isinstance(wish, Edit) and (naming := naming_in(wish, facts)) is not None:
            wish = with_mentions(wish, await self._database.run_together(find_mentions, naming) or ())
        sent = change_message(
            log=self._log,
            facts=facts,
            wish=wish,
            client_id=client_id,
            epoch=self._feed.epoch,
            checked_at_ms=checked.at_ms,
            now_ms=self._clock(),
            report=self._sending.lost,
        )
        self._sending.await_answer(outbox, frame.id, sent)

    async def _check(self, person: ConnectedPerson, target: bytes, position: Position) -> _Checked:
        """Returns the message as it was at a moment at which the archive had all that the feed had read before.

        The client's position names the partition. Where it is of an earlier epoch, or wrong, the message itself does,
        and is read twice. If the message is not found, a position that this feed has not read yet is waited for:
        another gateway may be ahead, or nobody has written to that place. Raises NotFound, NotArchivedYet, Unavailable.
        """
        at_ms, read = self._clock(), list(self._feed.offsets)
        wanted = Wanted(target, uuid_bytes(person.user_id))
        partition: int | None = None
        if position.epoch == self._feed.epoch and position.partition < len(read):
            partition = position.partition
            await self._reach(partition, read[partition] - 1)
        for _ in range(2):
            facts = await self._database.run_together(read_facts, wanted)
            if facts is None and partition is not None and position.offset >= read[partition]:
                await self._reach(partition, position.offset)
                facts = await self._database.run_together(read_facts, wanted)
            if facts is None:
                break
            own = partition_of(facts.key, len(read))
            if own == partition:
                return _Checked(facts, at_ms)
            partition = own
            await self._reach(own, read[own] - 1)
        raise no_such_message()

    async def _reach(self, partition: int, offset: int) -> None:
        if offset >= 0 and not await self._progress.reach(partition, offset, self._wait_s):
            raise NotArchivedYet("The archive has not reached this message yet. Try again.", retry_after=1)

    async def _answer_earlier(self, facts: Facts, wish: Wish, outbox: Outbox, frame: ChangeFrame) -> bool:
        """Answers with the stored change of that client_id, if there is one; returns whether it did."""
        own_id = identify_change(facts, frame.d.client_id)
        own = await self._database.run(lambda: find_own(own_id))
        if own is None:
            return False
        check_own(own, wish, facts)
        await wait_until_read(self._feed, own.position)
        ANSWERED["duplicate"].inc()
        outbox.answer(protocol.ok_sent(frame.id, uuid_text(own_id), own.position, duplicate=True))
        return True


def _wish_of(frame: ChangeFrame) -> Wish:
    if isinstance(frame, EditFrame):
        return Edit(frame.d.content, frame.d.base)
    if isinstance(frame, DeleteFrame):
        return Delete()
    return React(frame.d.emoji, frame.d.on) if isinstance(frame, ReactFrame) else Pin(frame.d.on)


def _read_target(text: str) -> bytes:
    if not is_uuid(text):
        field = FieldError("message", "invalid", "Use a UUID in lower case.")
        raise BadRequest("message must be the id of a message.", fields=(field,))
    return uuid_bytes(text)


def _read_position(text: str) -> Position:
    try:
        return Position.parse(text)
    except ValueError as error:
        field = FieldError("position", "invalid", "Use the `position` of the message.")
        raise BadRequest("position must be the position of the message.", fields=(field,)) from error
