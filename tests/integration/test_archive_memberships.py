"""Memberships in the archive: intervals of positions, and what a judge of the log begins with (D5, D9)."""

import msgspec
import pytest

from klatsch.archive.models import MembershipInterval
from klatsch.archive.removals import read_removals
from klatsch.persister.statements import Connection
from klatsch.records.judge import StandingAt
from tests.integration.shelf import EPOCH, Shelf
from tests.support.records import (
    ANA,
    BOB,
    CLEO,
    TEA,
    added,
    members,
    removed,
    standing,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("world")]


def test_standings_become_intervals_once(shelf: Shelf) -> None:
    shelf.put(added(ANA), removed(ANA, 2))
    shelf.put(removed(ANA, 2), added(ANA, 3))

    rows = MembershipInterval.objects.order_by("version").values_list("version", "active", "offset")
    assert list(rows) == [(1, True, 0), (2, False, 1), (3, True, 3)]


def test_who_was_removed_is_known_by_their_highest_version(connection: Connection, shelf: Shelf) -> None:
    shelf.put(added(ANA), removed(ANA, 2), removed(BOB, 2), added(BOB, 3), added(CLEO))
    found = read_removals(connection, EPOCH, [0, 1, 2], since={})

    assert sorted(found) == [
        StandingAt(str(TEA), ANA.user_id, 2, False, 0, 1, "member"),
        StandingAt(str(TEA), BOB.user_id, 3, True, 0, 3, "member"),
    ]
    assert read_removals(connection, EPOCH, [1], since={}) == []
    assert read_removals(connection, 2, [0], since={}) == []
    assert [row[1] for row in read_removals(connection, EPOCH, [0], since={0: 2})] == [BOB.user_id]


def test_roles_and_blocks_are_known_by_the_highest_version(connection: Connection, shelf: Shelf) -> None:
    admin = msgspec.structs.replace(standing(ANA, 2, active=True), role="admin")
    shelf.put(members(admin, msgspec.structs.replace(standing(BOB, 2, active=True), blocked=True)))
    assert [
        (row.user_id, row.role, row.blocked) for row in sorted(read_removals(connection, EPOCH, [0], since={}))
    ] == [
        (ANA.user_id, "admin", False),
        (BOB.user_id, "member", True),
    ]


def test_a_judge_who_reads_on_from_a_place_learns_what_was_true_there(connection: Connection, shelf: Shelf) -> None:
    shelf.put(removed(ANA, 2), added(ANA, 3), removed(ANA, 4), removed(BOB, 2))

    def known(begin: int) -> list[tuple[str, int, bool]]:
        found = read_removals(connection, EPOCH, [0, 1], since={}, before={0: begin, 1: 9})
        return sorted((one.user_id, one.version, one.active) for one in found)

    assert known(0) == []
    assert known(1) == [(ANA.user_id, 2, False)]
    assert known(2) == [(ANA.user_id, 3, True)]
    assert known(3) == [(ANA.user_id, 4, False)]
    assert known(4) == [(ANA.user_id, 4, False), (BOB.user_id, 2, False)]
