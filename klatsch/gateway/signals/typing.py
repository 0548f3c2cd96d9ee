"""Typing: from a client's frame to the topic of signals, and from there to the connections that have opened it."""

from collections.abc import Callable
from typing import Final

from klatsch.core.bucket import Buckets
from klatsch.core.ids import uuid_bytes
from klatsch.core.metrics import SIGNALS_APPENDED, SIGNALS_DROPPED, SIGNALS_PUSHED
from klatsch.eventlog.log import Entry, Record
from klatsch.gateway.hub import ConnectedPerson, Hub
from klatsch.gateway.language import protocol
from klatsch.gateway.signals.listener import Listener
from klatsch.gateway.signals.visibility import Judge
from klatsch.records.signals import BadSignal, TypingSignal, decode_typing
from klatsch.records.values import encode

EVERY_S: Final = 3.0
"""The time between two "is typing" of one person in one conversation."""
EXPIRES_S: Final = 8.0
"""The time after which clients drop a "is typing" that was not said again."""
MEMBERS_MOST: Final = 100
PER_SECOND: Final = 5
"""The typing frames of a person that are passed on, over all conversations."""
_SWEPT_FROM: Final = 1_000
_SAID_MOST: Final = 100_000


class Typing:
    """Passes on who types. `append` returns False where the topic is away."""

    def __init__(self, *, hub: Hub, judge: Judge, append: Callable[[Entry], bool], clock: Callable[[], float]) -> None:
        self._hub = hub
        self._judge = judge
        self._append = append
        self._clock = clock
        self._opened: dict[bytes, set[Listener]] = {}
        self._rates = Buckets(PER_SECOND)
        self._said: dict[tuple[str, bytes], tuple[float, bool]] = {}
        self._sweep_at = _SWEPT_FROM

    def open(self, listener: Listener, keys: frozenset[bytes]) -> None:
        """Makes these the opened conversations of the connection, and no others."""
        for key in listener.opened - keys:
            listeners = self._opened[key]
            listeners.discard(listener)
            if not listeners:
                del self._opened[key]
        for key in keys - listener.opened:
            self._opened.setdefault(key, set()).add(listener)
        listener.opened = keys

    def say(self, person: ConnectedPerson, conversation: str, *, on: bool) -> None:
        """Appends that a person types, or has stopped. What is void or comes too often is dropped without a word."""
        key = conversation.encode()
        access = person.writable.get(key)
        if access is None or self._is_large(key, access.member_count):
            SIGNALS_DROPPED.labels("void").inc()
        elif not self._is_due((person.user_id, key), on=on):
            SIGNALS_DROPPED.labels("often").inc()
        else:
            signal = TypingSignal(access.conversation, person.username, person.user_id, on)
            if self._append(Entry(key, encode(signal))):
                SIGNALS_APPENDED.labels("typing").inc()
            else:
                SIGNALS_DROPPED.labels("away").inc()

    def take(self, record: Record) -> None:
        """Pushes a record to the members here who have opened its conversation."""
        listeners = self._opened.get(record.key)
        if not listeners:
            return  # nothing is decoded for a conversation that nobody here looks at (D10)
        try:
            signal = decode_typing(record.value)
        except BadSignal:
            SIGNALS_DROPPED.labels("unreadable").inc()
            return
        if signal.conversation.encode() != record.key or self._is_void(signal, record.key):
            SIGNALS_DROPPED.labels("void").inc()
            return
        frame = protocol.wire(protocol.push_typing(signal.conversation, signal.user, on=signal.on))
        pushed = busy = 0
        for listener in listeners:
            if listener.person.user_id != signal.user_id and record.key in listener.person.access:
                if listener.tell(frame):
                    pushed += 1
                else:
                    busy += 1
        SIGNALS_PUSHED.labels("typing").inc(pushed)
        SIGNALS_DROPPED.labels("busy").inc(busy)

    def _is_void(self, signal: TypingSignal, key: bytes) -> bool:
        """Returns whether the person was removed or blocked here, or the conversation has grown too large."""
        void = self._judge.find_void(key, uuid_bytes(signal.user_id))
        return void is not None or self._is_large(key, 0)

    def _is_large(self, key: bytes, member_count: int) -> bool:
        return self._hub.member_counts.get(key, member_count) > MEMBERS_MOST

    def _is_due(self, place: tuple[str, bytes], *, on: bool) -> bool:
        """Returns whether to pass this on: `on` once in three seconds, and one `off` after it."""
        now_s = self._clock()
        last_s, was_on = self._said.get(place, (float("-inf"), False))
        if (now_s - last_s < EVERY_S) if on else not was_on:
            return False
        if self._rates.take(place[0], now_s) or (place not in self._said and not self._has_room(now_s)):
            return False
        self._said[place] = (now_s if on else last_s, on)
        return True

    def _has_room(self, now_s: float) -> bool:
        """Forgets, once there are many, what receivers have let expire."""
        if len(self._said) >= self._sweep_at:
            self._said = {place: said for place, said in self._said.items() if now_s - said[0] < EXPIRES_S}
            self._sweep_at = max(_SWEPT_FROM, 2 * len(self._said))
        return len(self._said) < _SAID_MOST
