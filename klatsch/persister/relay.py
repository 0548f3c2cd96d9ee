"""Relays the outbox: the records that a process queued but did not relay itself before it ended (D9)."""

import threading
from collections.abc import Callable, Sequence

import structlog
from django.db import close_old_connections

from klatsch.core.errors import Unavailable
from klatsch.eventlog.log import LogWriter
from klatsch.eventlog.outbox import forget_relayed, relay_records
from klatsch.postgres.outages import DATABASE_ERRORS, note_failure

_log = structlog.get_logger(__name__)
_EVERY_S = 1.0
_AN_HOUR = 3_600
_A_DAY = 24 * _AN_HOUR
"""The rounds between two clean-ups."""

CleanUps = Sequence[Callable[[], object]]


def run_relay(log: LogWriter, stopping: threading.Event, hourly: CleanUps = (), daily: CleanUps = ()) -> None:
    """Relays waiting records every second until `stopping` is set; retries while the log or database is away.

    Calls `hourly` and `daily` at the start, and then again between two relays.
    """
    rounds = 0
    while not stopping.wait(_EVERY_S):
        close_old_connections()
        try:
            if relayed := relay_records(log):
                _log.info("relayed", entries=relayed)
            for clean_up in _due(rounds, (forget_relayed, *hourly), daily):
                clean_up()
            rounds += 1
        except Unavailable as error:
            _log.warning("relay_waits", error=type(error).__name__)
        except DATABASE_ERRORS as error:
            note_failure("relay_waits", error)
        finally:
            close_old_connections()


def _due(rounds: int, hourly: CleanUps, daily: CleanUps) -> CleanUps:
    return (*(hourly if rounds % _AN_HOUR == 0 else ()), *(daily if rounds % _A_DAY == 0 else ()))
