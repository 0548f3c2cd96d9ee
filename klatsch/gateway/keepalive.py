"""Pings the sockets of one process, so that a peer that is gone is found (RFC 6455, 5.5.2). One timer serves all.

Timers for each ping and each answer, with pings that are made one by one, took twice as much of an idle gateway's CPU
(docs/decisions/0058-one-timer-pings-all-sockets.md).
"""

import os
from collections.abc import Sequence
from typing import Final, Protocol

from websockets.frames import CloseCode
from websockets.speedups import apply_mask

from klatsch.gateway.turns import in_turns

TURN_S: Final = 1.0
"""The interval at which `Keepalive.ping_some` is to be called."""
_PING: Final = b"\x89\x04"
_PONG: Final = b"\x8a\x84"
"""The heads of an unmasked ping with 4 bytes of payload, and of a client's answer, whose mask comes next."""
PAYLOAD_BYTES: Final = 4
PONG_BYTES: Final = 10
_MASK: Final = slice(2, 6)


class Pinged(Protocol):
    """A socket to ping. While it is `read_paused`, answers wait in the kernel's buffer.

    While it `reads_ahead` of a replay, the ping itself may wait long behind what the peer has still to take.
    """

    read_paused: bool
    reads_ahead: bool

    def ping(self, frame: bytes) -> None:
        """Writes that frame, whose last `PAYLOAD_BYTES` come back in the answer."""

    def end(self, code: CloseCode, reason: str) -> None:
        """Closes with that code."""


class Keepalive:
    """Pings each socket once in `interval_s`, and ends one whose last ping has no answer when the next is due.

    The sockets are pinged in sets, one in each second. Those that were added together share a set.
    """

    def __init__(self, interval_s: float) -> None:
        self._turns: list[set[Pinged]] = [set() for _ in range(max(1, round(interval_s / TURN_S)))]
        self._now = 0
        self._unanswered: dict[Pinged, bytes] = {}
        """The payload of each socket's last ping until its answer comes."""

    def __len__(self) -> int:
        return sum(map(len, self._turns))

    def add(self, socket: Pinged) -> None:
        """Pings that socket from now on, for the first time after about one interval."""
        self._turns[self._now].add(socket)

    def discard(self, socket: Pinged) -> None:
        """Pings that socket no more. It may have been discarded before."""
        for turn in self._turns:
            turn.discard(socket)
        self.forget_ping(socket)

    def ping_some(self) -> None:
        """Pings the sockets whose turn it is, with one frame for all; beyond the first, in later turns of the loop."""
        self._now = (self._now + 1) % len(self._turns)
        turn = self._turns[self._now]
        frame = _PING + os.urandom(PAYLOAD_BYTES)

        def ping(sockets: Sequence[Pinged]) -> None:
            for socket in turn.intersection(sockets):  # others have left meanwhile
                self._ping(socket, frame)

        in_turns(list(turn), ping)

    def _ping(self, socket: Pinged, frame: bytes) -> None:
        if socket in self._unanswered and not socket.read_paused and not socket.reads_ahead:
            socket.end(CloseCode.INTERNAL_ERROR, "a ping was not answered")
            return
        # Pings go on meanwhile, although their answers are not judged. Only writes find then that a peer is gone: it
        # does not acknowledge the bytes (TCP_USER_TIMEOUT), or has closed, so that the next write fails.
        self._unanswered[socket] = frame[-PAYLOAD_BYTES:]
        socket.ping(frame)

    def note_pong(self, socket: Pinged, payload: bytes) -> None:
        """Notes the answer to the last ping; any other is ignored (RFC 6455, 5.5.3)."""
        if self._unanswered.get(socket) == payload:
            del self._unanswered[socket]

    def forget_ping(self, socket: Pinged) -> None:
        """Lets the last ping go unanswered, because reading was paused: its answer may still be in the kernel's buffer.

        Reading pauses only for bytes that have come, so a peer that is gone does not get this again and again.
        """
        self._unanswered.pop(socket, None)


def read_pong(data: bytes) -> bytes:
    """Returns the payload of a client's answer to such a ping, if these bytes are one; else empty."""
    if len(data) != PONG_BYTES or not data.startswith(_PONG):
        return b""
    return apply_mask(data[_MASK.stop :], data[_MASK])
