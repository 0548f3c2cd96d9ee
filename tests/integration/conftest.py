"""Fixtures of the integration tests: an archive, a group, a topic, hashing that is quick or has no slot, a browser."""

import threading
from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.db import connection as django_connection
from django.test import Client

from klatsch.accounts import hashing
from klatsch.accounts.hashing import BCryptAsTyped
from klatsch.conversations.models import Conversation, Member
from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.persister.statements import Connection
from klatsch.persister.storing import Archive
from klatsch.processes.wiring import connect_archive
from tests.integration.chat import Chat
from tests.integration.group import Group
from tests.integration.people import LEAST_ROUNDS, make_person
from tests.integration.shelf import EPOCH, NO_DATA, NO_ROW, Shelf, open_epoch
from tests.integration.topic_desk import Desk
from tests.support.logs import broker
from tests.support.records import ANA, BOB, COFFEE, PEOPLE, TEA


@pytest.fixture
def world(transactional_db: None) -> None:
    """Makes Ana, Bob and Cleo, two groups, and a log of three partitions that nothing was read of."""
    for somebody in PEOPLE:
        make_person(somebody.name, id=somebody.id)
    for group in (TEA, COFFEE):
        Conversation.objects.create(id=group, kind="group", title="Tea")
    open_epoch(EPOCH)


@pytest.fixture
def picky(world: None) -> Iterator[None]:
    """Makes PostgreSQL refuse two contents, as data (class 22) and as a row (class 23): decoding refuses all else."""
    with django_connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE messaging_message ADD CONSTRAINT picky CHECK "
            f"(content <> '{NO_ROW}' AND 1 / (CASE content WHEN '{NO_DATA}' THEN 0 ELSE 1 END) = 1)"
        )
    yield
    with django_connection.cursor() as cursor:
        cursor.execute("ALTER TABLE messaging_message DROP CONSTRAINT picky")


@pytest.fixture
def ana_and_bob_in_tea(world: None) -> None:
    """Makes Ana and Bob members of a group."""
    for somebody in (ANA, BOB):
        Member.objects.create(conversation_id=TEA, user_id=somebody.id)


@pytest.fixture
def chat() -> Chat:
    """Returns a chat of Ana, Bob and Zoe, who ask over REST."""
    chat = Chat()
    chat.join("ana", "bob", "zoe")
    return chat


@pytest.fixture
def tea(chat: Chat) -> str:
    """Returns the id of a group of Ana's with Bob."""
    return chat.make_group("ana", "bob")


@pytest.fixture
def connection() -> Iterator[Connection]:
    with connect_archive("tests") as connection:
        yield connection


@pytest.fixture
def archive(connection: Connection) -> Archive:
    return Archive(connection, EPOCH)


@pytest.fixture
def shelf(archive: Archive) -> Shelf:
    return Shelf(archive)


@pytest.fixture
def group() -> Group:
    return Group()


@pytest.fixture
def desk(kafka: EmbeddedKafka | None) -> Iterator[Desk]:
    desk = Desk(broker(), f"topics-{uuid4().hex}")
    yield desk
    if desk.topics.find() is not None:
        desk.delete()


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes passwords in few rounds, so that one costs a millisecond."""
    monkeypatch.setattr(BCryptAsTyped, "rounds", LEAST_ROUNDS)


@pytest.fixture
def no_hashing_slot(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Takes the only slot for another thread, and nobody may wait for it."""
    slots, taken, release = hashing.HashingSlots(1, 0, 5), threading.Event(), threading.Event()

    def hold() -> None:
        with slots.take():
            taken.set()
            release.wait()

    monkeypatch.setattr(hashing, "hashing_slots", lambda: slots)
    monkeypatch.setattr("klatsch.api.hashing.hashing_slots", lambda: slots)
    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait()
    yield
    release.set()
    holder.join()


@pytest.fixture
def browser() -> Client:
    """Returns a client for whom CSRF is enforced as for every browser, unlike pytest-django's `client`."""
    return Client(enforce_csrf_checks=True)
