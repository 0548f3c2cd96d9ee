"""Questions to PostgreSQL from the event loop: one goes at once, many go together, and all are bounded."""

import asyncio
import gc
import threading
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, ProgrammingError
from psycopg.errors import UndefinedColumn

from klatsch.core.errors import Unavailable
from klatsch.gateway.database import DatabaseThreads
from tests.support.waiting import until


class Slow:
    """Answers a key with its double, when it may; odd ones are nobody's."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.asked: list[list[int]] = []

    def ask(self, keys: Collection[int]) -> dict[int, int]:
        self.asked.append(sorted(keys))
        self.may.wait(10)
        return {key: 2 * key for key in keys if key % 2 == 0}


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseThreads]:
    monkeypatch.setattr("klatsch.gateway.database.close_old_connections", lambda: None)
    threads = DatabaseThreads(threads=4, waiting_most=1_000, deadline_s=5)
    yield threads
    threads.close()


async def test_who_comes_alone_is_asked_for_at_once(database: DatabaseThreads) -> None:
    slow = Slow()
    slow.may.set()
    assert await database.run_together(slow.ask, 4) == 8
    assert await database.run_together(slow.ask, 5) is None
    assert slow.asked == [[4], [5]]


async def test_those_who_come_while_it_is_busy_are_asked_for_together_and_each_gets_their_own(
    database: DatabaseThreads,
) -> None:
    slow = Slow()
    ask = slow.ask
    first = [asyncio.create_task(database.run_together(ask, key)) for key in (0, 2)]
    await until(lambda: slow.asked)
    second = asyncio.create_task(database.run_together(ask, 4))
    await until(lambda: len(slow.asked) == 2)
    others = [asyncio.create_task(database.run_together(ask, key)) for key in range(100, 200)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(slow.asked) == 2
    slow.may.set()
    assert await asyncio.gather(*first, second) == [0, 4, 8]
    assert await asyncio.gather(*others) == [None if key % 2 else 2 * key for key in range(100, 200)]
    assert slow.asked == [[0, 2], [4], list(range(100, 200))]


async def test_one_question_has_a_bound(database: DatabaseThreads) -> None:
    slow = Slow()
    slow.may.set()
    ask = slow.ask
    answers = await asyncio.gather(*(database.run_together(ask, key) for key in range(600)))
    assert answers == [None if key % 2 else 2 * key for key in range(600)]
    assert [len(keys) for keys in slow.asked] == [250, 250, 100]


async def test_who_gives_up_takes_nobody_with_them(database: DatabaseThreads) -> None:
    slow = Slow()
    ask = slow.ask
    gone, stays = (asyncio.create_task(database.run_together(ask, key)) for key in (2, 4))
    await until(lambda: slow.asked)
    gone.cancel()
    slow.may.set()
    assert await stays == 8
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_a_cancel_that_comes_with_postgresqls_answer_ends_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("klatsch.gateway.database.close_old_connections", lambda: None)
    database, slow = DatabaseThreads(threads=1, waiting_most=10, deadline_s=5), Slow()
    request = asyncio.create_task(database.run(lambda: slow.ask([2])))
    await until(lambda: slow.asked)
    slow.may.set()
    database._pool.submit(lambda: None).result()  # the only thread has handed its answer to the loop before
    await asyncio.sleep(0)  # the answer is there, and the request has not had its turn yet
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    database.close()


@pytest.mark.parametrize("turns", range(3))
async def test_a_failure_that_nobody_waits_for_any_more_is_no_failure_of_the_loop(
    monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    monkeypatch.setattr("klatsch.gateway.database.close_old_connections", lambda: None)
    database, may, begun = (
        DatabaseThreads(threads=1, waiting_most=10, deadline_s=5),
        threading.Event(),
        threading.Event(),
    )
    uncaught: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: uncaught.append(context))

    def fail() -> None:
        begun.set()
        may.wait(10)
        raise OperationalError("the connection was cut")

    request = asyncio.create_task(database.run(fail))
    await until(begun.is_set)
    may.set()
    database._pool.submit(lambda: None).result()
    for _ in range(turns):
        await asyncio.sleep(0)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    del request
    await asyncio.sleep(0)
    gc.collect()
    assert uncaught == []
    database.close()


async def test_a_failure_is_told_to_all_who_asked_together_and_to_nobody_after(database: DatabaseThreads) -> None:
    fails = [True]

    def ask(keys: Collection[int]) -> dict[int, int]:
        if fails:
            raise Unavailable("as PostgreSQL's errors become")
        return dict.fromkeys(keys, 1)

    for outcome in await asyncio.gather(*(database.run_together(ask, key) for key in range(3)), return_exceptions=True):
        assert isinstance(outcome, Unavailable)
    fails.clear()
    assert await database.run_together(ask, 1) == 1


async def test_nobody_waits_longer_than_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("klatsch.gateway.database.close_old_connections", lambda: None)
    database, slow = DatabaseThreads(threads=1, waiting_most=10, deadline_s=0.05), Slow()
    with pytest.raises(Unavailable):
        await database.run_together(slow.ask, 2)
    slow.may.set()
    database.close()


async def test_beyond_the_bound_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("klatsch.gateway.database.close_old_connections", lambda: None)
    database, slow = DatabaseThreads(threads=1, waiting_most=2, deadline_s=5), Slow()
    ask = slow.ask
    waiting = [asyncio.create_task(database.run_together(ask, key)) for key in (2, 4)]
    await until(lambda: slow.asked)
    with pytest.raises(Unavailable):
        await database.run_together(ask, 6)
    with pytest.raises(Unavailable):
        await database.run(lambda: None)
    slow.may.set()
    assert await asyncio.gather(*waiting) == [4, 8]
    database.close()


async def test_calls_that_were_given_up_count_until_no_thread_has_them_and_none_is_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("klatsch.gateway.database.close_old_connections", lambda: None)
    database, slow = DatabaseThreads(threads=1, waiting_most=2, deadline_s=5), Slow()
    calls = [asyncio.create_task(database.run(partial(slow.ask, [key]))) for key in (2, 4)]
    await until(lambda: slow.asked)  # the first holds the thread, and the second waits for it
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    with pytest.raises(Unavailable, match="Too many"):
        await database.run(lambda: None)
    slow.may.set()
    await until(lambda: database._room == 2)
    assert await database.run(lambda: slow.ask([6])) == {6: 12}
    assert slow.asked == [[2], [6]]
    database.close()


async def test_an_outage_is_unavailable_and_a_wrong_statement_is_raised_as_it_is(database: DatabaseThreads) -> None:
    def fail(error: Exception) -> None:
        raise error

    with pytest.raises(Unavailable):
        await database.run(lambda: fail(OperationalError("the connection was cut")))
    wrong = ProgrammingError("column does not exist")
    wrong.__cause__ = UndefinedColumn()
    with pytest.raises(ProgrammingError):
        await database.run(lambda: fail(wrong))
