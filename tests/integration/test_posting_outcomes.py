"""Outcomes of a posted message: each way it can end, over the log's twin and a real archive."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import msgspec
import pytest
from pytest_django import DjangoAssertNumQueries

from klatsch.archive.models import Change, DeadLetter
from klatsch.conversations.access import Access
from klatsch.core.errors import Blocked, Conflict, InvalidContent, NotAMember, NotArchivedYet, Unavailable, Unknown
from klatsch.core.ids import uuid7
from klatsch.eventlog.log import Entry, LogError, Report
from klatsch.eventlog.memory import MemoryLog, MemoryTail, MemoryWriter
from klatsch.eventlog.partitions import partition_of
from klatsch.messaging.lookup import find_earlier
from klatsch.messaging.posting import post_message
from klatsch.messaging.reports import Route
from klatsch.messaging.sending import Draft, identify
from tests.integration.archive_rows import PARTITIONS, archive, archive_up_to
from tests.integration.posting_route import (
    NOW_MS,
    Archive,
    fresh,
    messages_of,
    nothing_new,
    post,
    stores,
)
from tests.integration.posting_route import access as access  # noqa: PLC0414 - the fixture
from tests.integration.posting_route import log as log  # noqa: PLC0414 - the fixture
from tests.integration.posting_route import progress as progress  # noqa: PLC0414 - the fixture
from tests.integration.posting_route import route as route  # noqa: PLC0414 - the fixture

pytestmark = pytest.mark.django_db


class SilentWriter(MemoryWriter):
    """Appends, and never says so."""

    def append(self, entry: Entry, report: Callable[[Report], None] | None = None) -> None:
        super().append(entry)


class NoEnds:
    def ends(self, deadline_s: float = 0) -> dict[int, int]:
        raise LogError("the log does not answer")


def test_a_message_that_is_archived_in_time_is_answered_as_it_stands_there_by_one_statement(
    route: Route, access: Access, progress: Archive, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    draft = fresh()
    posted = post(route, access, draft)
    progress.store = nothing_new
    stores(access, draft)(partition_of(access.key, PARTITIONS), 1)

    with django_assert_num_queries(1):
        again = post(route, access, draft)

    assert (posted.archived, again.archived) == (False, True)
    assert again.message.seq == 1
    assert again.message.id == posted.message.id


def test_a_message_whose_archive_is_behind_is_answered_with_its_place_in_the_log(
    route: Route, access: Access, log: MemoryLog
) -> None:
    original = archive(access, "original", offset=0)
    draft = Draft("later", uuid7(NOW_MS), reply_to=str(original.pk))
    posted = post(route, access, draft)

    [record] = messages_of(log)
    message = posted.message
    assert not posted.archived
    assert message.position == message.changed == f"1:{record.partition}:{record.offset}"
    assert (message.seq, message.reply_to, message.sent_at) == (None, draft.reply_to, "2026-11-18T11:06:40.000Z")
    said = msgspec.json.decode(record.value)
    assert (
        msgspec.json.decode(msgspec.json.encode(message)).items()
        >= {
            name: said[name] for name in ("id", "client_id", "conversation", "sender", "receiver", "content", "sent_at")
        }.items()
    )


def test_a_copy_is_answered_with_the_position_of_the_original(route: Route, access: Access, progress: Archive) -> None:
    draft = fresh()
    post(route, access, draft)
    progress.store = stores(access, draft, at=1)

    posted = post(route, access, draft)

    assert posted.archived
    assert posted.message.position.endswith(":1")


def test_another_body_under_the_same_client_id_is_a_conflict(route: Route, access: Access, progress: Archive) -> None:
    draft = fresh()
    progress.store = stores(access, draft)

    with pytest.raises(Conflict):
        post(route, access, Draft("something else", draft.client_id))


def names_a_change(access: Access, draft: Draft) -> None:
    """Stores a change under the name that the draft has."""
    own = identify(access, draft)
    Change.objects.create(
        id=UUID(bytes=own.id), message_id=UUID(int=1), kind=4, actor_id=access.sender_id, epoch=1, partition=0,
        offset=7_000, digest=b"another body    ", effective=True,
    )  # fmt: skip


def test_the_name_of_a_change_is_a_conflict(route: Route, access: Access, progress: Archive, log: MemoryLog) -> None:
    draft, old = fresh(), Draft("hi", "monday-1")
    names_a_change(access, draft)
    progress.store = lambda partition, offset: archive_up_to(partition, offset + 1)
    with pytest.raises(Conflict):
        post(route, access, draft)
    assert len(messages_of(log)) == 1
    Change.objects.all().delete()
    names_a_change(access, old)
    with pytest.raises(Conflict):
        post(route, access, old)
    assert len(messages_of(log)) == 1, "no feed shows what the archive would not keep"


def test_a_record_that_the_archive_passed_without_keeping_it_was_void_for_the_one_reason_that_its_kind_has(
    route: Route, access: Access, progress: Archive
) -> None:
    progress.store = lambda partition, offset: archive_up_to(partition, offset + 1)

    with pytest.raises(Blocked):
        post(route, access, fresh())
    with pytest.raises(NotAMember):
        post(route, msgspec.structs.replace(access, kind="group", receiver=None, receiver_id=None), fresh())


def test_a_record_that_went_to_the_dead_letters_is_invalid_content(
    route: Route, access: Access, progress: Archive
) -> None:
    def refuse(partition: int, offset: int) -> None:
        archive_up_to(partition, offset + 1)
        DeadLetter.objects.create(
            epoch=1, partition=partition, offset=offset, key=b"", value=b"", judge=b"", reason="refused", detail=""
        )

    progress.store = refuse

    with pytest.raises(InvalidContent):
        post(route, access, fresh())


def test_a_hint_that_was_wrong_makes_no_message_void(route: Route, access: Access, progress: Archive) -> None:
    progress.store = nothing_new

    assert not post(route, access, fresh()).archived


@pytest.mark.parametrize("writer", [SilentWriter, MemoryWriter])
def test_without_a_report_that_says_where_it_is_a_message_is_unknown(
    route: Route, access: Access, log: MemoryLog, writer: type[MemoryWriter]
) -> None:
    unsure = writer(log)
    unsure.broken = writer is MemoryWriter

    with pytest.raises(Unknown):
        post(replace(route, log=unsure), access, fresh())


def test_what_a_full_log_refuses_is_not_appended(route: Route, access: Access, log: MemoryLog) -> None:
    full = MemoryWriter(log)
    full.room = 0
    with pytest.raises(Unavailable):
        post(replace(route, log=full), access, fresh())

    assert not messages_of(log)


def test_an_old_client_id_that_names_a_message_answers_it_and_appends_nothing(
    route: Route, access: Access, log: MemoryLog, progress: Archive
) -> None:
    archive(access, "hi", offset=0, client_id="monday-1")
    progress.store = nothing_new

    posted = post(route, access, Draft("hi", "monday-1"))

    assert posted.archived
    assert posted.message.content == "hi"
    with pytest.raises(Conflict):
        post(route, access, Draft("something else", "monday-1"))
    assert not messages_of(log)


def test_an_old_client_id_that_names_nothing_yet_is_sent(
    route: Route, access: Access, log: MemoryLog, progress: Archive
) -> None:
    progress.store = lambda partition, offset: archive_up_to(partition, offset + 1)
    draft = Draft("hi", "monday-1")
    with pytest.raises(Blocked):
        post(route, access, draft)  # nobody stored it

    assert len(messages_of(log)) == 1
    assert progress.waits == 2


def test_an_old_client_id_is_not_sent_while_the_archive_is_behind_or_the_log_is_silent(
    route: Route, access: Access, log: MemoryLog, progress: Archive
) -> None:
    draft = Draft("hi", "monday-1")
    with pytest.raises(NotArchivedYet):
        post(route, access, draft)
    progress.store = nothing_new
    with pytest.raises(NotArchivedYet):
        post(route, access, draft)
    with pytest.raises(Unavailable):
        post(replace(route, ends=NoEnds()), access, draft)

    assert not messages_of(log)


def test_an_empty_partition_needs_no_archive_to_say_that_it_holds_nothing(access: Access, progress: Archive) -> None:
    sent = identify(access, fresh())

    found = find_earlier(
        ends=MemoryTail(MemoryLog(PARTITIONS)), progress=progress, key=access.key, message_id=sent.id, wait_s=0.05
    )

    assert found is None
    assert progress.waits == 0


def test_a_send_whose_process_stood_still_between_its_check_and_its_append_is_not_appended(
    route: Route, access: Access, log: MemoryLog
) -> None:
    times = iter([NOW_MS, NOW_MS + 21_000])
    with pytest.raises(Unavailable):
        post_message(route=route, access=access, draft=fresh(), clock=lambda: next(times))
    assert messages_of(log) == []
