"""Checks of a change at a gateway before its append: rights, versions, limits (D18)."""

import pytest

from klatsch.archive.targets import Facts
from klatsch.core.errors import BadRequest, Blocked, Conflict, Forbidden, Gone, KlatschError, LimitReached
from klatsch.gateway.language.requests import ChangeFrame
from klatsch.messaging.changing import EMOJIS_MOST, OWN_EMOJIS_MOST, PINS_MOST
from tests.support.changes import facts_of
from tests.support.records import ANA, NOW_MS
from tests.unit.changing_desk import AS_ADMIN, MINE, OTHER, THEIRS, Desk, changed, delete, edit, pin, react

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


async def test_a_conflict_names_the_edit_that_the_editor_had_not_seen() -> None:
    desk = Desk(changed(MINE, edited="1:0:4"))
    with pytest.raises(Conflict) as refused:
        await desk.change(edit(base="1:0:3"), None)
    assert refused.value.changed == "1:0:4"


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
