"""A connection of its own on which PostgreSQL says nothing any more, though nobody closes it, is given up."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection

from klatsch.archive.models import LogOffset, Message
from klatsch.conversations.models import Conversation
from klatsch.eventlog.memory import MemoryLog
from klatsch.persister.statements import Connection
from klatsch.postgres.connections import connect
from tests.integration.people import make_person
from tests.integration.persisters import Persister
from tests.integration.way import Way
from tests.support.records import ANA, PEOPLE, TEA, in_group, message
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
_SILENT_S = 0.5
_THAWED_S = 10.0


@pytest.fixture
def way() -> Iterator[Way]:
    way = Way(connection.get_connection_params())
    way.open()
    yield way
    way.close()


def through(way: Way) -> Connection:
    """Connects through that network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(connection.settings_dict["OPTIONS"], "host", "127.0.0.1")
        patch.setitem(connection.settings_dict, "PORT", way.port)
        return connect("tests", silent_s=_SILENT_S)


def test_a_statement_without_an_answer_is_given_up_and_its_connection_closed(way: Way) -> None:
    silent = through(way)
    way.freeze()
    thawing = threading.Timer(_THAWED_S, way.thaw)  # otherwise a connection that waits for ever would hold the test
    thawing.start()
    with pytest.raises(psycopg.OperationalError, match="did not answer"):
        silent.execute("SELECT 1")
    thawing.cancel()
    assert silent.closed


def test_a_persister_whose_connection_is_stranded_stores_over_another(way: Way) -> None:
    for somebody in PEOPLE:
        make_person(somebody.name, id=somebody.id)
    Conversation.objects.create(id=TEA, kind="group", title="Tea")
    LogOffset.objects.create(epoch=1, partition=0, next_offset=0)
    log = MemoryLog(1)
    persister = Persister(log, lambda: through(way))
    try:
        for number in range(3):
            log.append(message(in_group(ANA, TEA), str(number)))
            wait_until(lambda count=number + 1: Message.objects.count() == count)  # type: ignore[misc]
            way.strand()
    finally:
        way.thaw()
        persister.stop()
    assert list(Message.objects.order_by("seq").values_list("seq", "content")) == [(1, "0"), (2, "1"), (3, "2")]
