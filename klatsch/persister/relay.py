"""Relays the outbox: the records that a process queued but did not relay itself before it ended (D9)."""

import threading

import structlog
from django.db import close_old_connections

from klatsch.core.errors import Unavailable
from klatsch.eventlog.log import LogWriter
from klatsch.eventlog.outbox import forget_relayed, relay_records
from klatsch.postgres.outages import DATABASE_ERRORS, note_failure

_log = structlog.get_logger(__name__)
_EVERY_S = 1.0
_FORGET_EVERY = 3_600
"""The rounds between two clean-ups: an hour's."""


def run_relay(log: LogWriter, stopping: threading.Event) -> None:
    """Relays waiting records every second until `stopping` is set; retries while the log or database is away."""
    rounds = 0
    while not stopping.wait(_EVERY_S):
        close_old_connections()
        try:
            if relayed := relay_records(log):
                _log.info("relayed", entries=relayed)
            if rounds % _FORGET_EVERY == 0:
                forget_relayed()
            rounds += 1
        except Unavailable as error:
            _log.warning("relay_waits", error=type(error).__name__)
        except DATABASE_ERRORS as error:
            note_failure("relay_waits", error)
        finally:
            close_old_connections()
