"""Outcomes of a posted reply: its original is there, comes meanwhile, is deleted or is missing."""

from uuid import UUID

import msgspec
import pytest
from pytest_django import DjangoAssertNumQueries

from klatsch.archive.models import Message
from klatsch.conversations.access import Access
from klatsch.core.errors import Gone, NotArchivedYet, NotFound
from klatsch.core.ids import uuid7, uuid_text
from klatsch.eventlog.memory import MemoryLog
from klatsch.messaging.reports import Route
from klatsch.messaging.sending import Draft, identify
from tests.integration.archive_rows import archive
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
from tests.support.records import ANA, in_group

pytestmark = pytest.mark.django_db


def test_a_reply_costs_one_statement_more(
    route: Route, access: Access, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    original = archive(access, "original", offset=5)
    with django_assert_num_queries(0):
        post(route, access, fresh())
    with django_assert_num_queries(1):
        post(route, access, Draft("reply", uuid7(NOW_MS), reply_to=str(original.pk)))


def test_a_reply_to_a_message_that_is_not_there_is_refused_and_not_appended(
    route: Route, access: Access, log: MemoryLog, progress: Archive
) -> None:
    archive(access, "one", offset=5)
    elsewhere = archive(in_group(ANA), "elsewhere", offset=6)
    for reply_to in (UUID(int=1), elsewhere.pk):
        with pytest.raises(NotArchivedYet):
            post(route, access, Draft("reply", uuid7(NOW_MS), reply_to=str(reply_to)))
    progress.store = nothing_new
    for reply_to in (UUID(int=1), elsewhere.pk):
        with pytest.raises(NotFound) as caught:
            post(route, access, Draft("reply", uuid7(NOW_MS), reply_to=str(reply_to)))
        assert [field.field for field in caught.value.fields] == ["reply_to"]
    assert messages_of(log) == []


def test_a_reply_to_a_message_that_comes_into_the_archive_meanwhile_is_sent(
    route: Route, access: Access, log: MemoryLog, progress: Archive
) -> None:
    new = Draft("new", uuid7(NOW_MS))
    original = uuid_text(identify(access, new).id)
    store = stores(access, new, at=1)

    def store_once(partition: int, offset: int) -> None:
        progress.store = None
        store(partition, offset)

    progress.store = store_once
    post(route, access, Draft("reply", uuid7(NOW_MS), reply_to=original))
    [record] = messages_of(log)
    assert msgspec.json.decode(record.value)["reply_to"] == original


def test_a_reply_to_a_deleted_message_is_gone_and_a_retry_of_an_earlier_reply_is_not(
    route: Route, access: Access, log: MemoryLog, progress: Archive
) -> None:
    original = archive(access, "original", offset=5)
    draft = Draft("reply", uuid7(NOW_MS), reply_to=str(original.pk))
    earlier = archive(access, draft.content, offset=7, client_id=draft.client_id)
    Message.objects.filter(pk=earlier.pk).update(digest=identify(access, draft).digest)
    Message.objects.filter(pk=original.pk).update(deleted=True, content="")
    progress.store = nothing_new
    assert post(route, access, draft).message.id == str(earlier.pk)
    with pytest.raises(Gone):
        post(route, access, Draft("another", uuid7(NOW_MS), reply_to=str(original.pk)))
    assert messages_of(log) == []
