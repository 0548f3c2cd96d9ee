"""The pool of connections while PostgreSQL is away: who needs one is told soon, and had again as soon as it is back."""

import copy
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connection, connections, transaction

from klatsch.postgres.base import WAIT_S, BoundedConnection
from klatsch.postgres.connections import connect
from klatsch.postgres.outages import is_outage
from tests.integration.way import Way
from tests.support.waiting import wait_until

THREADS = 32
SOON_S = 1.0
"""The promise, in an outage that is known."""
_BACK_S = 30
_WAITERS = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"


@pytest.fixture
def way(django_db_setup: None, django_db_blocker: Any) -> Iterator[Way]:
    """Yields a way that is closed at first. Django would allow no threads to the pool in a test with `django_db`."""
    way = Way(connection.get_connection_params())
    with django_db_blocker.unblock():
        yield way
    way.close()


@pytest.fixture
def pool(way: Way, monkeypatch: pytest.MonkeyPatch) -> Iterator["Pool"]:
    elsewhere = copy.deepcopy(connection.settings_dict) | {"HOST": "127.0.0.1", "PORT": way.port}
    elsewhere["OPTIONS"] |= {"host": "127.0.0.1", "pool": {"min_size": 1, "max_size": 8}}
    monkeypatch.setitem(connections.settings, Pool.ALIAS, elsewhere)
    yield Pool()
    connections[Pool.ALIAS].close_pool()  # type: ignore[attr-defined]  # PostgreSQL's wrapper has it
    del connections[Pool.ALIAS]


class Pool:
    """A pool of its own, as REST has it, asked from any thread."""

    ALIAS = "elsewhere"
    LOCK = 20261201

    def take_lock(self) -> None:
        """Takes a lock until the end of the transaction."""
        with connections[self.ALIAS].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [self.LOCK])

    def ask(self, _: object = None) -> tuple[float, bool]:
        """Returns the seconds of a statement, with taking and returning its connection, and whether it was answered."""
        began = time.monotonic()
        try:
            with connections[self.ALIAS].cursor() as cursor:
                cursor.execute("SELECT 1")
        except OperationalError:
            return time.monotonic() - began, False
        finally:
            connections[self.ALIAS].close()
        return time.monotonic() - began, True

    def ask_at_once(self) -> list[tuple[float, bool]]:
        with ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(self.ask, range(THREADS)))


def test_once_an_outage_is_known_everybody_is_told_soon_and_the_first_who_asks_after_it_is_answered(
    way: Way, pool: Pool
) -> None:
    first, answered = pool.ask()
    assert not answered
    assert first < WAIT_S / 2
    for took, answered in pool.ask_at_once():
        assert not answered
        assert took < SOON_S
    way.open()
    wait_until_back(pool)
    assert all(answered for _, answered in pool.ask_at_once())


def wait_until_back(pool: Pool) -> None:
    """Asks until it is answered: one pause between two attempts, on a quiet machine."""
    deadline = time.monotonic() + _BACK_S
    while not pool.ask()[1]:
        assert time.monotonic() < deadline


def test_what_the_pool_held_before_an_outage_is_not_handed_out_after_it(way: Way, pool: Pool) -> None:
    way.open()
    assert all(answered for _, answered in pool.ask_at_once())
    way.close()
    while any(answered for _, answered in pool.ask_at_once()):
        pass
    assert {took < SOON_S for took, _ in pool.ask_at_once()} == {True}
    way.open()
    wait_until_back(pool)
    assert all(answered for _, answered in pool.ask_at_once())


def test_a_server_that_does_not_answer_holds_a_thread_only_for_a_while_and_then_answers_again(
    way: Way, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    way.open()
    assert all(answered for _, answered in pool.ask_at_once())
    monkeypatch.setattr(BoundedConnection, "answer_s", 0.5)
    way.freeze()
    for took, answered in pool.ask_at_once():
        assert not answered
        assert took < 2 * WAIT_S
    way.thaw()
    wait_until_back(pool)


def test_a_transaction_of_a_process_that_froze_is_ended_and_its_locks_are_free(
    way: Way, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedConnection, "answer_s", 5.0)
    monkeypatch.setattr(BoundedConnection, "idle_s", 0.3)
    way.open()

    @transaction.atomic(using=Pool.ALIAS)
    def freeze_holding_the_lock() -> None:
        pool.take_lock()
        way.freeze()
        with connect("tests", options="-c lock_timeout=10s") as other:
            other.execute("SELECT pg_advisory_xact_lock(%s)", [Pool.LOCK])
        way.thaw()
        pool.take_lock()

    with pytest.raises(DatabaseError) as raised:
        freeze_holding_the_lock()
    assert is_outage(raised.value)
    connections[Pool.ALIAS].close()


def test_a_statement_that_was_given_up_does_not_go_on_waiting_in_postgresql(
    way: Way, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedConnection, "answer_s", 0.3)
    way.open()
    with connect("tests") as holder, connect("watcher", autocommit=True) as watcher:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", [Pool.LOCK])
        for _ in range(3):
            with pytest.raises(OperationalError):
                pool.take_lock()
            connections[Pool.ALIAS].close()
        wait_until(lambda: not watcher.execute(_WAITERS, [Pool.LOCK]).fetchall())


@pytest.mark.parametrize(("operators", "found"), [("0", "5s"), ("1min", "5s"), ("2s", "2s")])
def test_an_operators_own_time_out_of_statements_counts_where_it_is_shorter(
    way: Way, pool: Pool, monkeypatch: pytest.MonkeyPatch, operators: str, found: str
) -> None:
    monkeypatch.setattr(BoundedConnection, "answer_s", 5.0)
    monkeypatch.setitem(connections.settings[Pool.ALIAS]["OPTIONS"], "options", f"-c statement_timeout={operators}")
    way.open()
    with connections[Pool.ALIAS].cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == (found,)
    connections[Pool.ALIAS].close()


def test_a_slow_statement_of_a_command_is_not_given_up(way: Way, pool: Pool) -> None:
    way.open()
    assert BoundedConnection.answer_s is None
    with connections[Pool.ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.6)")
    connections[Pool.ALIAS].close()
