"""Joins a gateway's typing and presence with their topic."""

import asyncio
import time
from collections.abc import Callable

from django.conf import settings

from klatsch.eventlog.kafka_reader import KafkaTail
from klatsch.eventlog.kafka_writer import KafkaWriter
from klatsch.eventlog.log import Entry, LogTail, LogWriter
from klatsch.eventlog.signal_line import SignalLine
from klatsch.eventlog.topics import SIGNALS_PARTITIONS
from klatsch.gateway.background import run_in_background
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.hub import Hub
from klatsch.gateway.lookups import Lookups
from klatsch.gateway.signals.bridge import SignalBridge
from klatsch.gateway.signals.requests import SignalRequests
from klatsch.gateway.signals.signals import Signals, SignalTimes
from klatsch.processes import wiring


class GatewaySignals:
    """A gateway's signals, and the line to their topic. None of it is waited for, except by `stop`."""

    def __init__(self, hub: Hub, feed: Feed, lookups: Lookups, times: SignalTimes) -> None:
        self._signals = Signals(
            hub=hub,
            judge=feed.memberships,
            append=self._append,
            clock=time.monotonic,
            times=times,
        )
        feed.tell_of_members(self._signals)
        self._bridge = SignalBridge(self._signals)
        self._line = SignalLine(
            open_tail=_tail, open_writer=_writer, deliver=self._bridge.deliver, opened=self._signals.publish_all
        )
        self.requests = SignalRequests(self._signals, hub, lookups)

    def _append(self, entry: Entry) -> bool:
        return self._line.append(entry)

    def start(self, fail: Callable[[BaseException], None]) -> "asyncio.Task[None]":
        """Opens the line, however long that takes, and returns the task that ticks."""
        self._line.start()
        return run_in_background(self._signals.run(), "signals", fail)

    async def stop(self) -> None:
        """Tells other gateways that this one ends, and closes the line."""
        self._bridge.stopping = True
        self._signals.say_leaving()
        await asyncio.to_thread(self._line.stop)


def build_signals(hub: Hub, feed: Feed, lookups: Lookups, times: SignalTimes) -> GatewaySignals | None:
    """Returns None where the server offers no signals: no topic is read or written then."""
    return GatewaySignals(hub, feed, lookups, times) if settings.ENV["KLATSCH_SIGNALS"] else None


def _tail() -> KafkaTail:
    topic = settings.ENV["KLATSCH_SIGNALS_TOPIC"]
    return KafkaTail(wiring.kafka_connection(), topic, SIGNALS_PARTITIONS, role="signals_tail")


def _writer(tail: LogTail) -> LogWriter:
    assert isinstance(tail, KafkaTail)
    connection, topic = wiring.kafka_connection(), settings.ENV["KLATSCH_SIGNALS_TOPIC"]
    return KafkaWriter(
        connection,
        topic,
        SIGNALS_PARTITIONS,
        reports="errors",
        watch=tail.watch,
        producer=connection.signals(),
        role="signals_writer",
    )
