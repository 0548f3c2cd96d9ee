"""Changes at a gateway: checked against an archive that has all that the feed has read, and appended once (D18)."""

from typing import Any

import pytest

from klatsch.archive.targets import Facts
from klatsch.core.errors import NotArchivedYet, NotFound, RateLimited
from klatsch.gateway.language.requests import ChangeFrame
from klatsch.records.header import Check
from tests.support.changes import facts_of
from tests.support.gateway_parts import Costs
from tests.support.records import ANA, NOW_MS, entry_of, in_group
from tests.unit.changing_desk import AS_ADMIN, MINE, SAID, THEIRS, Desk, delete, edit, pin, react

NOW = "2026-11-23T20:00:00.000Z"


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
