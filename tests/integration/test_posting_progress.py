"""The archive's progress: seen by NOTIFY, seen without it, and never waited for beyond a deadline."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connection

from klatsch.archive.progress import ArchiveProgress
from klatsch.core.errors import BadRequest, NotArchivedYet, Unavailable
from klatsch.eventlog.models import Epoch
from klatsch.gateway.database import with_fresh_connections
from klatsch.postgres.base import AnsweredConnection
from tests.integration.archive_rows import archive_up_to, open_epoch

pytestmark = pytest.mark.django_db(transaction=True)

VAIN_MOST = 2
LONG_S = 10.0
"""A deadline that no test waits for: its end comes by what the test does."""
SOON_S = LONG_S / 2
"""The longest time of what ends before the deadline, on a machine however busy."""


@pytest.fixture
def progress() -> Iterator[ArchiveProgress]:
    progress = ArchiveProgress(VAIN_MOST)
    yield progress
    progress.close()


def say(payload: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify('klatsch_archived', %s)", [payload])


def listeners() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'klatsch-archive-progress'")
        return [pid for (pid,) in cursor.fetchall()]


def seconds_of(wait: Callable[[], object]) -> float:
    before = time.monotonic()
    wait()
    return time.monotonic() - before


def test_what_was_archived_before_needs_no_notice(progress: ArchiveProgress) -> None:
    open_epoch()
    archive_up_to(3, 100)

    assert progress.wait_for(3, 99, LONG_S)
    assert not progress.wait_for(3, 100, 0)


def test_a_notice_ends_the_waits_of_many_threads_at_once(progress: ArchiveProgress) -> None:
    open_epoch()
    with ThreadPoolExecutor(8) as threads:
        waits = [threads.submit(progress.wait_for, 3, offset, LONG_S) for offset in range(8)]
        _until(lambda: _said("2:7,3:8") and all(wait.done() for wait in waits))

    assert all(wait.result() for wait in waits)  # nothing is in the table, so by the notice alone


def test_a_lost_notice_costs_less_than_the_whole_wait(progress: ArchiveProgress) -> None:
    open_epoch()
    with ThreadPoolExecutor(1) as threads:
        wait = threads.submit(progress.wait_for, 3, 7, LONG_S)
        progress.wait_for(3, 7, 0.3)
        archive_up_to(3, 8)

        assert seconds_of(wait.result) < SOON_S
    assert wait.result()


def test_the_offsets_are_read_once_more_before_a_wait_is_given_up(progress: ArchiveProgress) -> None:
    open_epoch()
    progress.wait_for(3, 7, 0)
    archive_up_to(3, 8)

    assert progress.wait_for(3, 7, 0)


def test_garbage_in_a_notice_changes_nothing(progress: ArchiveProgress) -> None:
    open_epoch()

    def is_heard() -> bool:  # from when it listens
        for payload in ("", "x", "3", "3:", ":9", "3:x,", "-3:9", "3:9"):
            say(payload)
        return progress.wait_for(3, 8, 0)

    _until(is_heard)
    assert not progress.wait_for(3, 9, 0.3)


def test_a_lost_connection_is_made_again(progress: ArchiveProgress) -> None:
    open_epoch()
    progress.wait_for(3, 0, 0)
    [listener] = listeners()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [listener])
    archive_up_to(3, 8)

    assert progress.wait_for(3, 7, LONG_S)
    assert listeners() not in ([], [listener])


def test_without_postgresql_a_wait_ends_at_its_deadline_and_then_goes_on_by_itself(
    progress: ArchiveProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_epoch()
    archive_up_to(3, 8)

    def refuse(**_: Any) -> Any:
        return psycopg.connect("host=127.0.0.1 port=1")

    with monkeypatch.context() as no_server:
        no_server.setattr(AnsweredConnection, "connect", refuse)
        assert not progress.wait_for(3, 7, 0.5)

    assert progress.wait_for(3, 7, LONG_S)


def test_the_epoch_is_the_newest_and_offsets_of_others_do_not_count(progress: ArchiveProgress) -> None:
    open_epoch()
    archive_up_to(3, 8)
    Epoch.objects.create(epoch=2, topic_id="second", partitions=12)

    assert progress.epoch == 2
    assert not progress.wait_for(3, 7, 0)


def test_there_is_no_epoch_before_the_topic_was_made(progress: ArchiveProgress) -> None:
    with pytest.raises(Unavailable):
        _ = progress.epoch
    assert not progress.wait_for(3, 0, 0)


_UP_TO_3 = "0123456789abcdef.0:0.1:0.2:0.3"


@pytest.mark.parametrize("at_least", ["1:3:7", f"1.{_UP_TO_3}:8", "0:3:999", f"0.{_UP_TO_3}:999"])
def test_at_least_returns_when_the_archive_has_come_so_far(progress: ArchiveProgress, at_least: str) -> None:
    open_epoch()
    archive_up_to(3, 8)

    progress.wait_for_position(at_least, LONG_S)


@pytest.mark.parametrize("at_least", ["1:3:8", f"1.{_UP_TO_3}:9", "2:3:0", "1:9999:0", "1:3:9223372036854775807"])
def test_at_least_is_given_up_where_the_archive_is_behind_and_where_it_is_absurd(
    progress: ArchiveProgress, at_least: str
) -> None:
    open_epoch()
    archive_up_to(3, 8)

    with pytest.raises(NotArchivedYet) as refusal:
        progress.wait_for_position(at_least, 0.3)

    assert refusal.value.temporary


def test_at_least_is_refused_where_it_is_neither_position_nor_token(progress: ArchiveProgress) -> None:
    with pytest.raises(BadRequest):
        progress.wait_for_position("yesterday", LONG_S)


def test_closing_ends_every_wait_and_the_thread_at_once() -> None:
    open_epoch()
    progress = ArchiveProgress(VAIN_MOST)
    progress.wait_for(3, 0, 0)
    [listening] = [thread for thread in threading.enumerate() if thread.name == "archive-progress"]
    with ThreadPoolExecutor(1) as threads:
        wait = threads.submit(progress.wait_for, 3, 0, LONG_S)

        assert seconds_of(progress.close) < SOON_S
        assert not wait.result(SOON_S)

    assert not listening.is_alive()
    assert not progress.wait_for(3, 0, LONG_S)


def test_once_a_send_waited_in_vain_few_wait_at_once_until_the_archive_has_it(progress: ArchiveProgress) -> None:
    open_epoch()
    archive_up_to(3, 1)
    archive_up_to(5, 1)
    with ThreadPoolExecutor(VAIN_MOST + 2) as threads:
        assert not progress.wait_for(3, 7, 0.3)
        in_vain = [threads.submit(progress.wait_for, 3, 9, LONG_S) for _ in range(VAIN_MOST)]
        _until(lambda: progress.waiting == VAIN_MOST)
        assert seconds_of(lambda: progress.wait_for(3, 9, LONG_S)) < SOON_S
        elsewhere = threads.submit(progress.wait_for, 5, 1, LONG_S)  # of this partition nobody knows anything bad
        _until(lambda: progress.waiting == VAIN_MOST + 1)
        _archive(3, 8)  # it comes on, and has not all that was waited for
        assert seconds_of(lambda: progress.wait_for(3, 9, LONG_S)) < SOON_S
        for partition, end in ((3, 10), (5, 2)):
            _archive(partition, end)
        assert all(wait.result() for wait in (*in_vain, elsewhere))

        again = [threads.submit(progress.wait_for, 3, 10, LONG_S) for _ in range(VAIN_MOST + 1)]
        _until(lambda: progress.waiting == VAIN_MOST + 1)
        _archive(3, 11)
        assert all(wait.result() for wait in again)


def test_what_clients_name_and_never_comes_holds_up_few(progress: ArchiveProgress) -> None:
    open_epoch()
    archive_up_to(3, 1)
    assert progress.wait_for(3, 0, LONG_S)
    with ThreadPoolExecutor(VAIN_MOST) as threads:
        absurd = [threads.submit(progress.wait_for_position, "1:9999:0", 3.0) for _ in range(VAIN_MOST)]
        _until(lambda: progress.waiting == VAIN_MOST)
        with pytest.raises(NotArchivedYet):
            assert seconds_of(lambda: progress.wait_for_position("1:9999:0", LONG_S)) < SOON_S
        progress.wait_for_position("1:3:0", LONG_S)
        assert all(isinstance(wait.exception(), NotArchivedYet) for wait in absurd)


def test_many_sends_that_the_archive_will_soon_have_are_no_reason_to_refuse_a_wait(progress: ArchiveProgress) -> None:
    open_epoch()
    archive_up_to(3, 1)
    with ThreadPoolExecutor(VAIN_MOST + 2) as threads:
        sends = [threads.submit(progress.wait_for, 3, 1, LONG_S) for _ in range(VAIN_MOST + 1)]
        _until(lambda: progress.waiting == VAIN_MOST + 1)
        read = threads.submit(progress.wait_for_position, "1:3:1", LONG_S)
        _until(lambda: progress.waiting == VAIN_MOST + 2)
        _archive(3, 2)
        assert all(send.result() for send in sends)
        assert read.exception() is None


def _archive(partition: int, end: int) -> None:
    archive_up_to(partition, end)
    say(f"{partition}:{end}")


def _said(payload: str) -> bool:
    """Says it, perhaps again: the thread that hears it may not have listened yet."""
    say(payload)
    return True


def _until(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


async def test_a_notice_ends_the_waits_of_an_event_loop_which_hold_no_thread(progress: ArchiveProgress) -> None:
    await asyncio.to_thread(with_fresh_connections, open_epoch)
    before = threading.active_count()
    waits = [asyncio.create_task(progress.reach(3, offset, LONG_S)) for offset in range(20)]
    while not all(wait.done() for wait in waits):  # the thread may not have listened yet
        await asyncio.to_thread(with_fresh_connections, lambda: say("2:7,3:20"))
        assert threading.active_count() < before + 10  # some of the progress and of `to_thread`, and none for each wait
    assert await asyncio.gather(*waits) == [True] * 20
    assert progress.waiting == 0


async def test_a_lost_notice_costs_an_event_loop_less_than_the_whole_wait_too(progress: ArchiveProgress) -> None:
    await asyncio.to_thread(with_fresh_connections, open_epoch)
    wait = asyncio.create_task(progress.reach(3, 7, LONG_S))
    await progress.reach(3, 7, 0.3)
    await asyncio.to_thread(with_fresh_connections, lambda: archive_up_to(3, 8))
    before_s = time.monotonic()
    assert await wait
    assert time.monotonic() - before_s < SOON_S
    assert await progress.reach(3, 7, 0)
    assert not await progress.reach(3, 8, 0)
