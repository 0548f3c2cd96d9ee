"""A change that is sent again is answered as it was, whatever forbids it now (D18)."""

import asyncio

import pytest

from klatsch.archive.targets import Facts, Own
from klatsch.core.errors import Conflict, Unavailable
from klatsch.core.ids import uuid_bytes
from klatsch.gateway.language.requests import ChangeFrame
from klatsch.messaging.changing import Delete, Edit, Wish, digest_of
from tests.support.records import NOW_MS
from tests.unit.changing_desk import MINE, OTHER, Desk, changed, delete, edit


@pytest.mark.parametrize(
    ("frame", "facts", "wish"),
    [
        (delete(), changed(MINE, deleted=True), Delete()),
        (edit(base="1:0:3"), changed(MINE, edited="1:0:4"), Edit("hi!")),
        (edit(base="1:0:3"), changed(MINE, blocked=True), Edit("hi!")),
    ],
)
async def test_a_retry_is_answered_even_if_the_change_itself_forbids_it_now(
    frame: ChangeFrame, facts: Facts, wish: Wish
) -> None:
    desk = Desk(facts)
    desk.parts.feed.offsets[0] = 5
    await desk.change(frame, Own("1:0:4", digest_of(wish) + uuid_bytes(facts.message_id)))
    [answer] = desk.peer.read()
    assert (answer["ok"]["position"], answer["ok"]["duplicate"], desk.appended) == ("1:0:4", True, 0)


async def test_a_retry_that_only_the_archive_knows_yet_is_answered_when_the_feed_has_read_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the change would be pushed to the connection that was told `ok`."""
    desk = Desk(changed(MINE, deleted=True))
    own = Own("1:0:4", digest_of(Delete()) + uuid_bytes(MINE.message_id))
    retry = asyncio.create_task(desk.change(delete(), own))
    await asyncio.sleep(0.05)
    assert desk.peer.read() == []
    desk.parts.feed.offsets[0] = 5
    await retry
    assert [answer["ok"]["duplicate"] for answer in desk.peer.read()] == [True]
    monkeypatch.setattr("klatsch.gateway.feed.reaching.AHEAD_S", 0.02)
    desk.parts.feed.offsets[0] = 4
    with pytest.raises(Unavailable):
        await desk.change(delete(), own)
    assert (desk.peer.read(), desk.appended) == ([], 0)


async def test_an_old_client_id_is_looked_up_and_answered_with_its_change() -> None:
    desk = Desk(MINE)
    desk.parts.feed.offsets[0] = 4
    await desk.change(edit(client_id="old"), Own("1:0:3", digest_of(Edit("hi!")) + uuid_bytes(MINE.message_id)))
    [answer] = desk.peer.read()
    assert (answer["ok"]["position"], answer["ok"]["duplicate"], desk.appended) == ("1:0:3", True, 0)
    with pytest.raises(Conflict):
        await desk.change(
            edit("another", client_id="old"), Own("1:0:3", digest_of(Edit("hi!")) + uuid_bytes(MINE.message_id))
        )
    with pytest.raises(Conflict):
        await desk.change(edit(client_id="old"), Own("1:0:3", digest_of(Edit("hi!")) + uuid_bytes(OTHER.id)))
    await desk.change(edit(client_id="new but no UUID"[:3]), None)
    assert desk.appended == 1


async def test_a_client_id_of_the_last_minute_is_looked_up_where_feeds_have_no_memory_of_its_time() -> None:
    desk = Desk(MINE)
    desk.parts.feed.offsets[0] = 4
    desk.parts.changing._fresh_since_ms = NOW_MS + 1
    await desk.change(edit(), Own("1:0:3", digest_of(Edit("hi!")) + uuid_bytes(MINE.message_id)))
    [answer] = desk.peer.read()
    assert (answer["ok"]["position"], answer["ok"]["duplicate"], desk.appended) == ("1:0:3", True, 0)
