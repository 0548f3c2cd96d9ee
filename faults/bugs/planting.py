"""Plants bugs: a function for each, named like in `catalogue`, to be called once Django is set up."""

import asyncio
import itertools
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from klatsch.core.ids import uuid_text
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.kafka_writer import KafkaWriter
from klatsch.eventlog.log import Entry, Record, Report
from klatsch.eventlog.places import Position, offsets_text
from klatsch.gateway import changing, replay
from klatsch.gateway.feed import changes as feed_changes
from klatsch.gateway.feed.bridge import Feeding
from klatsch.gateway.feed.changes import Settled
from klatsch.gateway.feed.recent import Recent
from klatsch.gateway.feed.ring import Ring
from klatsch.gateway.hub import Hub
from klatsch.gateway.language import protocol
from klatsch.gateway.language.tokens import Tokens
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.sending import Sending
from klatsch.gateway.socket import ChatSocket
from klatsch.messaging import applying
from klatsch.messaging import sending as services
from klatsch.persister import statements
from klatsch.persister.marker_statements import LatestMarker
from klatsch.persister.storing import Archive
from klatsch.processes import wiring
from klatsch.records import verdicts
from klatsch.records.header import NEW_MESSAGE, judged_actor, judged_id
from klatsch.records.judge import Memberships

_replaced: list[tuple[Any, str, Any]] = []
"""What was replaced: owner, name and the original."""
_ONE_IN = 40
_PAUSE_S = 0.05


def offsets_before_rows() -> None:
    commit = Archive._commit

    def offsets_first(self: Any, batch: Any, expected: Mapping[int, int], *rest: Any) -> None:
        with self._connection.transaction():
            moved = statements.move_offsets(self._connection, self._epoch, expected, batch.next_offsets)
            statements.check_moved(moved, len(batch.next_offsets))
        commit(self, batch, batch.next_offsets, *rest)

    _replace(Archive, "_commit", offsets_first)


def no_compare_and_set() -> None:
    for name, condition in (
        ("_MOVE_OFFSETS", " AND held.next_offset = move.expected"),
        ("_UPDATE_STATES", " AND stored.last_seq = new.expected"),
    ):
        statement = getattr(statements, name)
        assert condition in statement
        _replace(statements, name, statement.replace(condition, ""))


def copies_are_moved() -> None:
    ours = "ON CONFLICT (id) DO NOTHING"
    assert ours in statements._INSERT_MESSAGES
    moved = 'ON CONFLICT (id) DO UPDATE SET "offset" = excluded."offset", seq = excluded.seq'
    _replace(statements, "_INSERT_MESSAGES", statements._INSERT_MESSAGES.replace(ours, moved))


def persister_judges_nobody() -> None:
    """Lets gateways keep appending, which they may, so that there is something to judge."""
    if _is_gateway():
        _keep_writing_after_removal()
    else:
        _replace(Memberships, "find_void", _nobody_is)


def replay_begins_one_early() -> None:
    _shift_replays(-1)


def replay_begins_one_late() -> None:
    _shift_replays(+1)


def _shift_replays(by: int) -> None:
    since = Recent.since

    def shifted(self: Any, keys: Any, offsets: Sequence[int]) -> Any:
        return since(self, keys, [max(0, offset + by) for offset in offsets])

    _replace(Recent, "since", shifted)


def replay_pauses_before_live() -> None:
    run = replay._Replay.run

    async def paused(self: Any) -> None:
        begin = self.parts.begin
        late: list[Any] = []
        self.parts = _Parts(self.parts, late)
        await run(self)
        await asyncio.sleep(_PAUSE_S)
        for arguments in late:
            begin(*arguments)

    _replace(replay._Replay, "run", paused)


class _Parts:
    """A replay's parts, whose `begin` waits."""

    def __init__(self, parts: Any, late: list[Any]) -> None:
        self._parts = parts
        self.begin = lambda *arguments: late.append(arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parts, name)


def marks_one_ahead() -> None:
    of = Tokens.of

    def tail_ahead(self: Any) -> str:
        return offsets_text(offset + 1 for offset in self._reading.offsets)

    def ahead(self: Any, user_id: str, offsets: Sequence[int]) -> str:
        return of(self, user_id, [offset + 1 for offset in offsets])

    _replace(Tokens, "tail", tail_ahead)
    _replace(Tokens, "of", ahead)


def outbox_drops() -> None:
    def add(self: Any, frame: bytes) -> None:
        if not self.closed and self._size + len(frame) <= self._bytes_most:
            self._frames.append(frame)
            self._size += len(frame)

    _replace(Outbox, "_add", add)
    pause = ChatSocket.pause_writing

    def pause_without_end(self: Any) -> None:
        pause(self)
        self._forget_stall()

    _replace(ChatSocket, "pause_writing", pause_without_end)


def batches_are_dropped() -> None:
    apply, number = Feeding.apply, itertools.count(1)

    def dropping(self: Any, records: Sequence[Record]) -> None:
        apply(self, records if next(number) % _ONE_IN else [])

    _replace(Feeding, "apply", dropping)


def partition_by_sender() -> None:
    append = KafkaWriter.append

    def astray(self: Any, entry: Entry, report: Any = None) -> None:
        if entry.judge:
            entry = Entry(entry.key, entry.value, entry.judge, judged_actor(entry.judge), entry.trace)
        append(self, entry, report)

    _replace(KafkaWriter, "append", astray)


def removal_is_not_heard() -> None:
    _replace(Hub, "expel", lambda *_: None)


def removal_is_not_judged() -> None:
    if _is_gateway():
        _keep_writing_after_removal()
        _replace(Memberships, "find_void", _nobody_is)


def copies_are_shown() -> None:
    if _is_gateway():
        _replace(Ring, "find", lambda *_: None)


def retries_are_new() -> None:
    _replace(services, "message_id", lambda *_: os.urandom(16))


def leader_answers_alone() -> None:
    """Answers at the leader's report: reading back would prevent loss, as readers see only replicated records."""
    producer = KafkaConnection.producer

    def careless(self: Any) -> dict[str, Any]:
        return producer(self) | {"acks": 1, "enable.idempotence": False}

    _replace(KafkaConnection, "producer", careless)
    answers_come_early()


def answers_come_early() -> None:
    writer = wiring.log_writer
    _replace(wiring, "log_writer", lambda *given, **rest: writer(*given, **rest | {"reports": "all"}))
    lost = Sending.lost
    epoch = wiring.known_log().epoch if _is_gateway() else 0

    def answer(self: Any, report: Report) -> None:
        if report.error is not None:
            lost(self, report)
            return
        self._on_loop(lambda: tell(self, report))

    def tell(self: Any, report: Report) -> None:
        message_id = judged_id(report.entry.judge)
        for waiter in self._pending.take(message_id):
            place = f"{epoch}:{report.partition}:{report.offset}"
            waiter.outbox.answer(protocol.ok_sent(waiter.re, uuid_text(message_id), place, duplicate=False))

    _replace(Sending, "lost", answer)


def late_edit_revives() -> None:
    judge = verdicts.judge_change

    def forgiving(record: Record, target: verdicts.Target, memberships: Memberships) -> Any:
        as_if = verdicts.Target(deleted=False, edited=target.edited, reactions=target.reactions, pinned=target.pinned)
        return judge(record, as_if, memberships)

    _replace(feed_changes, "judge_change", forgiving)


def copy_undoes_edit() -> None:
    find = Ring.find

    def find_message(self: Any, record: Record) -> int | None:
        known: int | None = find(self, record) if record.judge[0] == NEW_MESSAGE else None
        return known

    _replace(Ring, "find", find_message)


def demoted_admin_deletes() -> None:
    """Lets gateways check by the role that a person had, so that there is something to judge."""
    _replace(Memberships, "is_demoted", _nobody_is)
    for module in (changing, applying):
        check = module.check_facts

        def check_as_admin(wish: Any, facts: Any, *, check: Any = check, **rest: Any) -> None:
            check(wish, msgspec.structs.replace(facts, role="admin"), **rest)

        _replace(module, "check_facts", check_as_admin)


def fresh_feed_judges_otherwise() -> None:
    _replace(Settled, "find", _nobody_is)


def wrong_clock_check() -> None:
    _replace(verdicts, "CHECK_MOST_MS", sys.maxsize)


def marker_moves_back() -> None:
    take = LatestMarker.take

    def take_any(self: Any, row: Any) -> None:
        take(self, row)
        if row.event.read is not None:
            self.read = Position.parse(row.event.read)

    _replace(LatestMarker, "take", take_any)


def put_back() -> None:
    """Undoes all that was planted in this process, for tests."""
    while _replaced:
        setattr(*_replaced.pop())


def _replace(owner: object, name: str, by: object) -> None:
    """Replaces an attribute; fails when it does not exist, as such a bug would replace nothing."""
    _replaced.append((owner, name, getattr(owner, name)))
    setattr(owner, name, by)


def _is_gateway() -> bool:
    return "gateway" in sys.argv


def _nobody_is(*_: object) -> None:
    return None


def _keep_writing_after_removal() -> None:
    expel = Hub.expel

    def stale(self: Any, person: Any, key: bytes, version: int) -> None:
        writable = person.writable.get(key)
        expel(self, person, key, version)
        if writable is not None:
            person.writable[key] = writable

    _replace(Hub, "expel", stale)
