"""Persisters that run on threads of a test, and a PostgreSQL that is slow to take what they store."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from django.db import connection

from klatsch.eventlog.log import LogError
from klatsch.eventlog.memory import MemoryGroup, MemoryLog
from klatsch.persister.statements import Connection
from klatsch.persister.worker import Worker
from klatsch.processes.wiring import connect_archive
from tests.support.records import NOW_MS


class Persister:
    """A worker that runs on a thread, as a persister's process runs one."""

    def __init__(self, log: MemoryLog, connect: Callable[[], Connection] | None = None) -> None:
        self.assigned: list[dict[int, int]] = []
        self.failed: LogError | None = None
        self.backends: list[int] = []
        self._connect = connect or (lambda: connect_archive("tests"))
        self._stopping = threading.Event()
        self.worker = Worker(self._connected, 1, self._stopping, lambda: NOW_MS, lambda: dict(enumerate(log.first)))
        self._group = MemoryGroup(log, "persister", assigned=self._on_assigned, revoked=self.worker.revoked)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _connected(self) -> Connection:
        connection = self._connect()
        self.backends.append(connection.info.backend_pid)
        return connection

    def _on_assigned(self, partitions: Sequence[int]) -> dict[int, int]:
        offsets = dict(self.worker.assigned(partitions))
        self.assigned.append(offsets)
        return offsets

    def _run(self) -> None:
        try:
            self.worker.run(self._group)
        except LogError as error:
            self.failed = error
        finally:
            self._group.close()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(30)
        assert not self._thread.is_alive()


@contextmanager
def slow_inserts(milliseconds: int) -> Iterator[None]:
    """Makes each message take that long to be inserted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN PERFORM pg_sleep({milliseconds} / 1000.0); RETURN new; END $$; "
            "CREATE TRIGGER slow BEFORE INSERT ON messaging_message FOR EACH ROW EXECUTE FUNCTION slow()"
        )
        try:
            yield
        finally:
            cursor.execute("DROP FUNCTION slow CASCADE")


def impatient() -> Connection:
    """Connects as a persister whose transactions may take half a second."""
    made = connect_archive("tests")
    made.execute("SET transaction_timeout = 500")
    made.commit()
    return made
