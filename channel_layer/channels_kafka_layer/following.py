"""A node's part in the normal channels: follows the log's copy of them, offers for each waiting `receive`."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from channels_kafka_layer import records
from channels_kafka_layer.errors import KafkaUnavailable
from channels_kafka_layer.normal_channels import Match, Queued
from channels_kafka_layer.records import Record, key_of, pack_fields
from channels_kafka_layer.replica import Applied, Replica
from channels_kafka_layer.sending import Sender
from channels_kafka_layer.waiting import Waiter

_log = logging.getLogger(__name__)
OFFER_LIFE_MS = 5_000
"""A process that died loses what is sent to a channel in this time while its `receive` still counts as waiting."""
_RENEW_S = 2.0
_ANSWER_SPREAD_S = 0.1
"""Answers to a newcomer are spread over this time, so that the first keeps the others from answering."""
_FOUND_S = 1.5
"""A newcomer whom nobody answers takes what it has read back for the state, and tells so."""
_ASK_AGAIN_S = 5.0
_SWEEP_S = 10.0
WINDOW = 1.5
"""The time to read back, in expiries: one for messages, and half of one more to know all memberships by then."""


@dataclass(slots=True)
class Offer:
    """A waiting `receive`. `message` is what it got."""

    channel: str
    waiter: Waiter[None]
    sent_s: float
    number: int = 0
    """Changes where the offer is made anew."""
    message: Queued | None = None


class Following:
    """The caller holds the node's lock in all calls. Time is seconds of the node's steady clock."""

    def __init__(self, node: bytes, sender: Sender, expiry_s: float, read_back: Callable[[int], None]) -> None:
        self._node = node
        self._sender = sender
        self._expiry_ms = int(expiry_s * 1_000)
        self._read_back = read_back
        self._replica = Replica()
        self._probed_s: float | None = None
        self._is_reading_back = False
        self._waiting: list[Waiter[None]] = []
        self._offers: dict[int, Offer] = {}
        self._number = 0
        self._joined: dict[tuple[str, str], tuple[int, float]] = {}
        self._doubted: set[tuple[str, str]] = set()
        """Memberships from before a gap, in which a LEAVE may lie: not repeated until the state is known again."""
        self._hellos: dict[int, float] = {}
        self._asked_s: float | None = None
        self._swept_s = 0.0
        self.kinds: frozenset[int] = frozenset()
        """First bytes of the keys that concern this part; none until it is used."""

    @property
    def is_agreed(self) -> bool:
        return self._replica.is_agreed

    def begin(self, now_s: float, waiter: Waiter[None]) -> None:
        """Starts to follow, where that has not begun; wakes the waiter once the state is known."""
        self._waiting.append(waiter)
        if not self.kinds:
            self.restart(now_s)

    def restart(self, now_s: float) -> None:
        """Begins anew, as records were missed: first asks the log's time, then reads back from there."""
        self._doubted = set(self._joined)
        self._probe(now_s)

    def _probe(self, now_s: float) -> None:
        self._replica = Replica()
        self._hellos.clear()
        self._asked_s = None
        self._is_reading_back = False
        self._probed_s = now_s
        self.kinds = records.OF_NORMAL_CHANNELS
        self._send(records.PROBE, b"")

    def forget(self, waiter: Waiter[None]) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def offer(self, channel: str, now_s: float) -> Offer:
        """Offers to take one message; the offer's waiter is woken once it has it."""
        offer = Offer(channel, Waiter(), now_s)
        self._make_offer(offer, now_s)
        return offer

    def cancel(self, offer: Offer) -> None:
        """Ends an offer whose `receive` was cancelled; a message that it got meanwhile goes back to its channel."""
        if offer.message is not None:
            self._return(offer.channel, offer.message)
            return
        del self._offers[offer.number]
        self._send(key_of(records.WITHDRAW, offer.channel), pack_fields(offer.number))

    def join(self, group: str, channel: str, capacity: int, now_s: float, waiter: Waiter[None] | None) -> None:
        """Adds a normal channel to a group, and repeats that while this node lives and the channel does not leave."""
        self._joined[group, channel] = (capacity, now_s)
        self._doubted.discard((group, channel))
        self._send(key_of(records.JOIN, channel), pack_fields(group, self._expiry_ms, capacity), waiter)

    def has_members(self, group: str) -> bool:
        return self._replica.state.has_members(group)

    @property
    def has_groups(self) -> bool:
        return self._replica.state.has_groups

    def groups(self) -> list[str]:
        """Returns the groups that have normal channels as members."""
        return self._replica.state.groups()

    def replay(self, record: Record) -> None:
        """Applies a record that is read back. One that comes after `restart` is ignored: a new probe follows."""
        if self._is_reading_back and record.kind != records.PROBE:
            self._replica.apply(record)

    def end_replay(self, now_s: float) -> None:
        """Ends reading back, where `restart` has not: asks for the state, or knows it."""
        if not self._is_reading_back:
            return
        self._is_reading_back = False
        if self._replica.end_replay():
            self._ask(now_s)
        else:
            self._agree(now_s)

    def apply(self, record: Record, now_s: float) -> Applied:
        """Applies a record; returns what it did, which means nothing before all agree."""
        if record.kind == records.PROBE:
            self._take_probe(record)
            return Applied()
        if record.kind == records.LEAVE:
            self._joined.pop((record.fields()[0], record.name), None)
        if self._probed_s is not None or self._is_reading_back:
            # What stands behind the probe is replayed: applied here too, a message would be queued twice.
            self._replica.skip(record)
            return Applied()
        was_agreed = self._replica.is_agreed
        result = self._replica.apply(record)
        if not self._replica.is_agreed:
            self._note_hello(record, now_s)
            return Applied()
        for match in result.matches:
            if match.node == self._node:
                self._deliver(match, is_certain=record.kind != records.STATE, now_s=now_s)
        self._note_hello(record, now_s)
        if not was_agreed or record.kind in {records.FLUSH, records.STATE}:
            self._agree(now_s)
        elif record.kind == records.OFFER and record.sender == self._node:
            self._check_offer(record.fields()[0], now_s)
        elif record.kind == records.RENEW and record.sender == self._node:
            self._check_membership(record.fields()[0], record.name, now_s)
        return result

    def flush(self) -> None:
        """Forgets the memberships that this node repeats."""
        self._joined.clear()

    def tick(self, now_s: float) -> bool:
        """Repeats offers and memberships, and answers newcomers; returns whether groups may have ended since."""
        if not self.kinds:
            return False
        self._repeat(now_s)
        for hello, due_s in tuple(self._hellos.items()):
            if now_s >= due_s:
                del self._hellos[hello]
                self._answer(hello)
        if self._probed_s is not None and now_s - self._probed_s > _ASK_AGAIN_S:
            self._probe(now_s)
        if self._asked_s is not None and now_s - self._asked_s > _ASK_AGAIN_S:
            self._ask(now_s)
        if now_s - self._swept_s <= _SWEEP_S:
            return False
        self._swept_s = now_s
        self._replica.state.sweep()
        return True

    def _repeat(self, now_s: float) -> None:
        for number, offer in self._offers.items():
            if now_s - offer.sent_s > _RENEW_S:
                offer.sent_s = now_s
                self._send(key_of(records.OFFER, offer.channel), pack_fields(number, OFFER_LIFE_MS, False))
        for (group, channel), (capacity, sent_s) in tuple(self._joined.items()):
            if now_s - sent_s > self._expiry_ms / 2_000 and (group, channel) not in self._doubted:
                self._joined[group, channel] = (capacity, now_s)
                self._send(key_of(records.RENEW, channel), pack_fields(group, self._expiry_ms, capacity))

    def _take_probe(self, record: Record) -> None:
        if self._probed_s is not None and record.sender == self._node:
            self._probed_s = None
            self._is_reading_back = True
            self._replica = Replica()
            self._read_back(record.time_ms - int(self._expiry_ms * WINDOW))

    def _ask(self, now_s: float) -> None:
        self._asked_s = now_s
        self._send(records.HELLO, b"")

    def _note_hello(self, record: Record, now_s: float) -> None:
        """Plans the answer: soon where this node knows the state, after a while where only it asks."""
        if record.kind != records.HELLO:
            return
        if record.sender == self._node and not self._replica.is_agreed:
            self._hellos[record.offset] = now_s + _FOUND_S
        elif self._replica.is_agreed:
            spread = (self._node[0] ^ record.offset & 0xFF) / 0xFF
            self._hellos[record.offset] = now_s + spread * _ANSWER_SPREAD_S

    def _answer(self, hello: int) -> None:
        answer = self._replica.answer_to(hello)
        if answer is not None:
            self._send(records.STATE, pack_fields(*answer))

    def _agree(self, now_s: float) -> None:
        """Wakes those who wait for the state, and offers and joins again what the state does not have.

        What is no member after records were missed has left, or was given up by all others: it stays out.
        """
        self._asked_s = None
        for group, channel in self._doubted:
            if (group, channel) in self._joined and not self._replica.state.is_member(group, channel):
                del self._joined[group, channel]
                _log.warning("The channel %s left the group %s while records were missed.", channel, group)
        self._doubted.clear()
        for group, channel in tuple(self._joined):
            self._check_membership(group, channel, now_s)
        for waiter in self._waiting:
            waiter.wake()
        self._waiting.clear()
        for number in tuple(self._offers):
            self._check_offer(number, now_s)

    def _check_offer(self, number: int, now_s: float) -> None:
        """Makes an offer anew that the log no longer has: it came too late, or all was flushed."""
        offer = self._offers.get(number)
        if offer is not None and not self._replica.state.is_offered(offer.channel, self._node, number):
            del self._offers[number]
            self._send(key_of(records.WITHDRAW, offer.channel), pack_fields(number))  # it may still come
            self._make_offer(offer, now_s)

    def _check_membership(self, group: str, channel: str, now_s: float) -> None:
        """Joins anew where a membership ended without a LEAVE: its repetition came too late."""
        joined = self._joined.get((group, channel))
        if joined is not None and not self._replica.state.is_member(group, channel):
            self.join(group, channel, joined[0], now_s, None)

    def _make_offer(self, offer: Offer, now_s: float) -> None:
        self._number += 1
        offer.number, offer.sent_s = self._number, now_s
        self._offers[self._number] = offer
        self._send(key_of(records.OFFER, offer.channel), pack_fields(self._number, OFFER_LIFE_MS, True))

    def _deliver(self, match: Match, *, is_certain: bool, now_s: float) -> None:
        """Gives a message to its `receive`. Where that is gone, the message goes back.

        After a founder's answer (not `is_certain`) old matches come up again: their messages were taken long ago.
        """
        offer = self._offers.pop(match.offer, None)
        if offer is None:
            if is_certain:
                self._return(match.channel, match.message)
        elif match.message.body is None:
            _log.warning("A message of the channel %s was lost: it is older than this process.", match.channel)
            self._make_offer(offer, now_s)
        else:
            offer.message = match.message
            offer.waiter.wake()

    def _send(self, key: bytes, payload: bytes, waiter: Waiter[None] | None = None) -> None:
        """Sends a record. One that cannot be sent is repeated in time, or ends by itself, unless somebody waits."""
        try:
            self._sender.send(key, payload, waiter)
        except KafkaUnavailable:
            if waiter is not None:
                raise

    def _return(self, channel: str, message: Queued) -> None:
        if message.body is not None:
            payload = pack_fields(message.place, message.expires_ms, message.body)
            self._send(key_of(records.RETURN, channel), payload)
