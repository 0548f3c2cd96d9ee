"""Watches that the topic stays the known one while a process runs: positions in another would be wrong (D2)."""

import threading
from collections.abc import Callable

import structlog
from django.db import connections

from klatsch.core.metrics import ADDED_PARTITIONS, IGNORED_RECORDS
from klatsch.eventlog.epochs import added_partitions, check_same, current_epoch
from klatsch.eventlog.log import LogError, TopicChanged
from klatsch.eventlog.models import Epoch
from klatsch.eventlog.topics import KafkaTopics, Topic
from klatsch.postgres.outages import DATABASE_ERRORS, is_outage, note_failure

_log = structlog.get_logger(__name__)
EVERY_S = 1.0
_ASK_S = 2.0
_GONE_MOST = 3
"""The looks in a row without a topic after which it counts as deleted: a starting broker may not know it yet."""


class TopicWatch:
    """Asks the brokers every second, on its own thread, whether the topic is still the epoch's.

    Calls `failed` once, on that thread, when it is not, or when another epoch was opened. The process must then
    acknowledge nothing more. Brokers or a PostgreSQL that do not answer are no such sign. Added partitions are logged
    once, and so are records in them.
    """

    def __init__(self, topics: KafkaTopics, epoch: Epoch, failed: Callable[[LogError], None]) -> None:
        self._topics = topics
        self._epoch = epoch
        self._failed = failed
        self._gone = 0
        self._told_of_added = self._told_of_ignored = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="topic-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops the watch: `failed` is not called after this returns."""
        self._stopping.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._stopping.wait(EVERY_S):
            try:
                self._look()
            except TopicChanged as error:
                if not self._stopping.is_set():
                    _log.error("topic_changed", error=str(error))
                    self._failed(error)
                return
            except LogError:
                continue  # readers and writers report it
            except DATABASE_ERRORS as error:
                if not is_outage(error):
                    note_failure("topic_watch", error)
            finally:
                connections.close_all()  # this thread's connections: no request ends here, which would close them

    def _look(self) -> None:
        found = self._topics.find(_ASK_S)
        self._gone = 0 if found else self._gone + 1
        if found is None and self._gone < _GONE_MOST:
            return
        check_same(found, self._epoch)
        assert found is not None
        self._warn_of_added(found)
        self._check_newest()

    def _check_newest(self) -> None:
        newest = current_epoch()
        if newest is not None and newest.epoch != self._epoch.epoch:
            raise TopicChanged(f"Epoch {self._epoch.epoch} has ended: another one was opened. Restart this process.")

    def _warn_of_added(self, found: Topic) -> None:
        added = added_partitions(found, self._epoch)
        ADDED_PARTITIONS.set(len(added))
        if not added:
            return
        if not self._told_of_added:
            self._told_of_added = True
            _log.warning("partitions_added", known=self._epoch.partitions, found=found.partitions)
        ignored = sum(self._topics.ends(added).values())
        IGNORED_RECORDS.set(ignored)
        if ignored and not self._told_of_ignored:
            self._told_of_ignored = True
            _log.warning("records_ignored", partitions=list(added), records=ignored)
