"""Changes at a gateway: checked against an archive that has all that the feed has read, and appended once (D18)."""

import asyncio
from typing import Any

import pytest

from klatsch.archive.targets import Facts, Own
from klatsch.core.errors import (
    BadRequest,
    Blocked,
    Conflict,
    Forbidden,
    Gone,
    KlatschError,
    LimitReached,
    NotArchivedYet,
    NotFound,
    RateLimited,
    Unavailable,
)
from klatsch.core.ids import uuid_bytes
from klatsch.gateway.language.requests import ChangeFrame
from klatsch.messaging.changing import EMOJIS_MOST, OWN_EMOJIS_MOST, PINS_MOST, Delete, Edit, Wish, digest_of
from klatsch.records.header import Check
from tests.support.changes import facts_of
from tests.support.gateway_parts import Costs
from tests.support.records import ANA, NOW_MS, entry_of, in_group
from tests.unit.changing_desk import OTHER, SAID, Desk, changed, delete, edit, pin, react


async def test_a_change_is_answered_when_the_feed_reads_it_back() -> None:
    desk = Desk(facts_of(SAID, ANA))
    desk.parts.log.append(entry_of(SAID))
    desk.parts.read_log()
    desk.peer.read()
    desk.parts.log.clock = lambda: NOW_MS
    await desk.change(edit(re=7))
    assert desk.peer.read() == []
    desk.parts.read_log()
    [answer] = desk.peer.read()
    assert (answer["re"], answer["ok"]["position"], answer["ok"]["duplicate"]) == (7, "1:0:1", False)
    assert desk.parts.progress.asked == [(0, 0)], "the archive has what the feed had read"  # type: ignore[attr-defined]


async def test_the_record_says_when_it_was_checked_and_which_version_was_seen() -> None:
    desk = Desk(facts_of(SAID, ANA))
    await desk.change(edit(base="1:0:5"))
    [record] = desk.parts.log.records[0]
    assert Check.decode(record.judge) == Check(NOW_MS, base=5)
    await desk.change(edit(base="0:0:5"))
    assert Check.decode(desk.parts.log.records[0][1].judge).base == -1, "of an earlier epoch"


async def test_while_the_archive_is_behind_nothing_is_checked_or_appended() -> None:
    desk = Desk(facts_of(SAID, ANA), reaches=False)
    desk.parts.log.append(entry_of(SAID))
    desk.parts.read_log()
    with pytest.raises(NotArchivedYet):
        await desk.change(edit())
    assert (desk.appended, desk.parts.database.asked) == (1, 0)


async def test_a_message_that_neither_the_feed_nor_the_archive_has_yet_is_not_denied() -> None:
    desk = Desk(None, reaches=False)
    with pytest.raises(NotArchivedYet):
        await desk.change(edit())
    assert desk.appended == 0


async def test_a_position_of_an_earlier_epoch_names_no_partition_so_the_message_does() -> None:
    desk = Desk(facts_of(SAID, ANA))
    desk.parts.log.append(entry_of(SAID))
    desk.parts.read_log()
    await desk.change(edit(position="0:3:9"), desk.facts)
    assert desk.appended == 2
    assert desk.parts.progress.asked == [(0, 0)]  # type: ignore[attr-defined]


async def test_a_position_beyond_what_was_read_is_waited_for_only_without_the_message() -> None:
    """A wrong position of a message that is there costs its client no wait, and no wrong advice to try again."""
    desk = Desk(facts_of(SAID, ANA))
    desk.parts.log.append(entry_of(SAID))
    desk.parts.read_log()
    await desk.change(edit(position="1:0:77"))
    assert desk.appended == 2
    assert desk.parts.progress.asked == [(0, 0)]  # type: ignore[attr-defined]

    desk.parts.database.answers = [None, facts_of(SAID, ANA)]  # another gateway was ahead of this one
    await desk.parts.changing.change(desk.person, desk.outbox, edit(position="1:0:77"))
    assert desk.appended == 3
    assert desk.parts.progress.asked == [(0, 0), (0, 0), (0, 77)]  # type: ignore[attr-defined]


async def test_what_is_not_there_or_not_mine_to_see_is_not_found() -> None:
    desk = Desk(None)
    desk.parts.log.append(entry_of(SAID))
    desk.parts.read_log()
    with pytest.raises(NotFound):
        await desk.change(delete())
    assert desk.appended == 1


MINE, THEIRS = facts_of(SAID, ANA), facts_of(OTHER, ANA)
AS_ADMIN = facts_of(OTHER, ANA, role="admin")
NOW = "2026-11-23T20:00:00.000Z"
MANY = [chr(0x1F600 + number) for number in range(EMOJIS_MOST)]


@pytest.mark.parametrize(
    ("frame", "facts", "error"),
    [
        (edit(), changed(MINE, blocked=True), Blocked),
        (edit(), changed(MINE, deleted=True), Gone),
        (react(), changed(MINE, deleted=True), Gone),
        (edit(), THEIRS, Forbidden),
        (edit(), AS_ADMIN, Forbidden),
        (delete(), THEIRS, Forbidden),
        (pin(), MINE, Forbidden),
        (delete(), changed(facts_of(OTHER, ANA, kind="direct"), role="owner"), Forbidden),
        (edit(base="1:0:3"), changed(MINE, edited="1:0:4"), Conflict),
        (edit(base="1:0:3"), changed(MINE, edited="2:0:0"), Conflict),
        (pin(), changed(AS_ADMIN, pins=PINS_MOST), LimitReached),
        (react("🫖"), changed(MINE, emojis=MANY), LimitReached),
        (react("🫖"), changed(MINE, own_emojis=MANY[:OWN_EMOJIS_MOST], emojis=MANY[:OWN_EMOJIS_MOST]), LimitReached),
        (edit(""), MINE, KlatschError),
        (react("no emoji"), MINE, BadRequest),
        (react("👍" * 9), MINE, BadRequest),
        (edit(base="x"), MINE, BadRequest),
        (edit(base="1:1:3"), MINE, BadRequest),
        (edit(base="1:1:9"), changed(MINE, edited="1:0:4"), BadRequest),
        (edit(message="x"), MINE, BadRequest),
        (edit(position="x"), MINE, BadRequest),
        (edit(client_id="a b"), MINE, BadRequest),
    ],
)
async def test_what_may_not_be_is_refused_before_anything_is_appended(
    frame: ChangeFrame, facts: Facts, error: type[KlatschError]
) -> None:
    desk = Desk(facts)
    with pytest.raises(error):
        await desk.change(frame, None)
    assert (desk.appended, desk.outbox.unanswered) == (0, 0)


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


async def test_a_conflict_names_the_edit_that_the_editor_had_not_seen() -> None:
    desk = Desk(changed(MINE, edited="1:0:4"))
    with pytest.raises(Conflict) as refused:
        await desk.change(edit(base="1:0:3"), None)
    assert refused.value.changed == "1:0:4"


@pytest.mark.parametrize(
    ("frame", "facts", "told"),
    [
        (edit(), MINE, {"edited_at": NOW, "mentions": []}),
        (delete(), MINE, {"deleted_at": NOW}),
        (pin(), AS_ADMIN, {"at": NOW}),
        (react(), THEIRS, {}),
    ],
)
async def test_an_ok_has_what_the_push_to_others_has_of_the_server(
    frame: ChangeFrame, facts: Facts, told: dict[str, Any]
) -> None:
    desk = Desk(facts)
    desk.parts.log.clock = lambda: NOW_MS
    await desk.change(frame)
    await desk.change(frame)
    desk.parts.read_log()
    answer, again = (found["ok"] for found in desk.peer.read())
    first = {"id": answer["id"], "position": answer["position"]}
    assert answer == first | {"duplicate": False} | told
    assert again == first | {"duplicate": True}, "of an earlier change the message tells"


async def test_a_version_of_a_later_epoch_is_refused() -> None:
    desk = Desk(MINE)
    with pytest.raises(BadRequest, match="base"):
        await desk.change(edit(base="2:0:3"))
    assert desk.appended == 0


@pytest.mark.parametrize(
    ("frame", "facts"),
    [
        (delete(), AS_ADMIN),
        (delete(), MINE),
        (pin(), AS_ADMIN),
        (pin(), facts_of(OTHER, ANA, kind="direct")),
        (pin(on=False), changed(AS_ADMIN, pins=PINS_MOST, pinned=True)),
        (pin(), changed(AS_ADMIN, pins=PINS_MOST, pinned=True)),
        (react(MANY[0]), changed(THEIRS, emojis=MANY)),
        (react(MANY[0], on=False), changed(THEIRS, emojis=MANY, own_emojis=MANY[:OWN_EMOJIS_MOST])),
        (edit(base="1:0:4"), changed(MINE, edited="1:0:4")),
        (edit(base=None), changed(MINE, edited="1:0:4")),
    ],
)
async def test_what_may_be_is_appended(frame: ChangeFrame, facts: Facts) -> None:
    desk = Desk(facts)
    await desk.change(frame)
    assert desk.appended == 1


async def test_an_edit_after_the_window_is_refused() -> None:
    desk = Desk(changed(MINE, sent_at_ms=NOW_MS - 60_001))
    desk.parts.changing._edit_window_s = 60
    with pytest.raises(Forbidden, match="60 seconds"):
        await desk.change(edit(), None)
    await desk.change(delete())
    assert desk.appended == 1, "the window is for edits"


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


async def test_changes_count_as_messages_of_their_person() -> None:
    desk = Desk(MINE)
    desk.parts.sending._rates = type(desk.parts.sending._rates)(1)
    for _ in range(2):
        await desk.change(react())
    with pytest.raises(RateLimited):
        await desk.change(react())


@pytest.mark.parametrize("frame", [edit(), delete(), react(), pin()])
async def test_a_change_in_a_group_takes_as_much_of_its_makers_rate_as_a_message_to_the_group(
    frame: ChangeFrame,
) -> None:
    desk = Desk(facts_of(SAID, ANA, role="admin", member_count=1_000))
    tokens = desk.parts.sending._rates = Costs(0)
    await desk.change(frame)
    assert (tokens.taken, desk.appended) == ([1], 1), "of two members, as this gateway knows"

    desk.parts.hub.resize(in_group(ANA).key, 5_000)
    with pytest.raises(RateLimited, match="large group"):
        await desk.change(frame)
    assert (tokens.taken, desk.appended) == ([1, 1, 250], 1)

    desk.parts.hub.expel(desk.person, in_group(ANA).key, 2)
    with pytest.raises(RateLimited, match="large group"):
        await desk.change(frame)
    assert (tokens.taken[3:], desk.appended) == ([1, 50], 1), (
        "as the archive says of a group that this gateway does not know"
    )
