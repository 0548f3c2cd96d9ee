"""The way of a message that is posted: the log's twin, an archive that stores on demand, and two people who write."""

from collections.abc import Callable

import pytest

from klatsch.conversations.access import Access
from klatsch.conversations.services import ensure_direct_conversation
from klatsch.core.caps import AtOnce
from klatsch.core.errors import Unavailable
from klatsch.core.ids import uuid7
from klatsch.eventlog.log import Record
from klatsch.eventlog.memory import MemoryLog, MemoryTail, MemoryWriter
from klatsch.messaging.posting import Posted, post_message
from klatsch.messaging.reports import Route
from klatsch.messaging.sending import Draft
from klatsch.records.kinds import KINDS, MESSAGE
from tests.integration.archive_rows import PARTITIONS, archive, archive_up_to, as_sender
from tests.integration.people import make_person

NOW_MS = 1_795_000_000_000


class Archive:
    """A persister in the place of the progress: whoever waits for an offset has `store` run first."""

    epoch = 1

    def __init__(self) -> None:
        self.store: Callable[[int, int], None] | None = None
        self.waits = 0

    def wait_for(self, partition: int, offset: int, deadline_s: float) -> bool:
        self.waits += 1
        if self.store is None:
            return False
        self.store(partition, offset)
        return True

    def wait_for_position(self, at_least: str, deadline_s: float) -> None:
        raise NotImplementedError


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(PARTITIONS)


@pytest.fixture
def progress() -> Archive:
    return Archive()


@pytest.fixture
def route(log: MemoryLog, progress: Archive) -> Route:
    return Route(
        log=MemoryWriter(log),
        ends=MemoryTail(log),
        progress=progress,
        waits=AtOnce(1, cap="waits", refusal=Unavailable, detail="Several wait."),
        fresh_since_ms=0,
        report_s=0.05,
        archive_s=0.05,
    )


@pytest.fixture
def access(log: MemoryLog) -> Access:
    make_person("bob")
    return ensure_direct_conversation(
        sender=as_sender(make_person("ana")), receiver_username="bob", log=MemoryWriter(log)
    )


def fresh(content: str = "hi") -> Draft:
    return Draft(content, uuid7(NOW_MS))


def post(route: Route, access: Access, draft: Draft) -> Posted:
    return post_message(route=route, access=access, draft=draft, clock=lambda: NOW_MS)


def messages_of(log: MemoryLog) -> list[Record]:
    return [record for partition in log.records for record in partition if (KINDS.find(record) is MESSAGE)]


def nothing_new(partition: int, offset: int) -> None:
    """Hints that the archive has come further, when it has not."""


def stores(access: Access, draft: Draft, *, at: int | None = None) -> Callable[[int, int], None]:
    def store(partition: int, offset: int) -> None:
        archive(access, draft.content, offset=offset if at is None else at, client_id=draft.client_id)
        archive_up_to(partition, offset + 1)

    return store
