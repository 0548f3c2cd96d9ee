"""Bugs on the way into the log and of its answers, each a function with the name of `catalogue`."""

import itertools
import os
from typing import Any

import msgspec

from faults.bugs.replacing import is_gateway, keep_writing_after_removal, nobody_is, replace
from klatsch.conversations import queries
from klatsch.conversations import services as services_of_talks
from klatsch.conversations.access import Access
from klatsch.core.errors import NotAMember
from klatsch.core.ids import uuid_text
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.kafka_writer import KafkaWriter
from klatsch.eventlog.log import Entry, Report
from klatsch.gateway import sending
from klatsch.gateway.language import protocol
from klatsch.gateway.sending import Sending
from klatsch.messaging import sending as services
from klatsch.processes import wiring
from klatsch.records.header import judged_actor, judged_id
from klatsch.records.judge import Memberships, Verdict

_ONE_IN = 40


def partition_by_sender() -> None:
    append = KafkaWriter.append

    def astray(self: Any, entry: Entry, report: Any = None) -> None:
        if entry.judge:
            entry = Entry(entry.key, entry.value, entry.judge, judged_actor(entry.judge), entry.trace)
        append(self, entry, report)

    replace(KafkaWriter, "append", astray)


def removal_is_not_judged() -> None:
    if is_gateway():
        keep_writing_after_removal()
        replace(Memberships, "find_void", nobody_is)


def block_is_not_judged() -> None:
    """Lets gateways append what blocked people send, so that there is something to judge."""
    if not is_gateway():
        return
    for module in (queries, services_of_talks):
        replace(module, "check_blocks", nobody_is)
    find = Memberships.find_void

    def find_removed(self: Any, key: bytes, actor: bytes) -> Any:
        verdict = find(self, key, actor)
        return None if verdict is Verdict.BLOCKED else verdict

    replace(Memberships, "find_void", find_removed)


def members_are_refused() -> None:
    if not is_gateway():
        return
    send, number = services.send_message, itertools.count(1)

    def refuse(**what: Any) -> Any:
        if next(number) % _ONE_IN == 0:
            raise NotAMember("You are not a member of this conversation.")
        return send(**what)

    replace(sending, "send_message", refuse)


def senders_are_mixed_up() -> None:
    """Names the sender before, in what is shown alone: the header, by which the archive goes, has the true one."""
    if not is_gateway():
        return
    send, before = services.send_message, [""]

    def send_as_the_last_one(*, access: Access, **what: Any) -> Any:
        last, before[0] = before[0], access.sender
        return send(access=msgspec.structs.replace(access, sender=last or access.sender), **what)

    replace(sending, "send_message", send_as_the_last_one)


def retries_are_new() -> None:
    replace(services, "message_id", lambda *_: os.urandom(16))


def leader_answers_alone() -> None:
    """Answers at the leader's report: reading back would prevent loss, as readers see only replicated records."""
    producer = KafkaConnection.producer

    def careless(self: Any, partitions: int) -> dict[str, Any]:
        return producer(self, partitions) | {"acks": 1, "enable.idempotence": False}

    replace(KafkaConnection, "producer", careless)
    answers_come_early()


def answers_come_early() -> None:
    writer = wiring.log_writer
    replace(wiring, "log_writer", lambda *given, **rest: writer(*given, **rest | {"reports": "all"}))
    lost = Sending.lost
    epoch = wiring.known_log().epoch if is_gateway() else 0

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

    replace(Sending, "lost", answer)
