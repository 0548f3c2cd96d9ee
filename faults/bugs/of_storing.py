"""Bugs of the persister and of the archive, each a function with the name of `catalogue`."""

from collections.abc import Mapping
from typing import Any

from faults.bugs.replacing import is_gateway, keep_writing_after_removal, nobody_is, replace
from klatsch.archive import overview
from klatsch.eventlog.places import Position
from klatsch.persister import statements
from klatsch.persister.marker_statements import LatestMarker
from klatsch.persister.storing import Archive
from klatsch.records.judge import Memberships


def offsets_before_rows() -> None:
    commit = Archive._commit

    def offsets_first(self: Any, batch: Any, expected: Mapping[int, int], *rest: Any) -> None:
        with self._connection.transaction():
            moved = statements.move_offsets(self._connection, self._epoch, expected, batch.next_offsets)
            statements.check_moved(moved, len(batch.next_offsets))
        commit(self, batch, batch.next_offsets, *rest)

    replace(Archive, "_commit", offsets_first)


def no_compare_and_set() -> None:
    for name, condition in (
        ("_MOVE_OFFSETS", " AND held.next_offset = move.expected"),
        ("_UPDATE_STATES", " AND stored.last_seq = new.expected"),
    ):
        statement = getattr(statements, name)
        assert condition in statement
        replace(statements, name, statement.replace(condition, ""))


def copies_are_moved() -> None:
    ours = "ON CONFLICT (id) DO NOTHING"
    assert ours in statements._INSERT_MESSAGES
    moved = 'ON CONFLICT (id) DO UPDATE SET "offset" = excluded."offset", seq = excluded.seq'
    replace(statements, "_INSERT_MESSAGES", statements._INSERT_MESSAGES.replace(ours, moved))


def persister_judges_nobody() -> None:
    """Lets gateways keep appending, which they may, so that there is something to judge."""
    if is_gateway():
        keep_writing_after_removal()
    else:
        replace(Memberships, "find_void", nobody_is)


def unread_counts_own() -> None:
    condition = "last.sender_id <> %(user)s AND "
    statements_of: tuple[tuple[object, str], ...] = (
        (overview, "_ONE"), *((overview._PAGE, name) for name in ("_first", "_after", "_before")),
    )  # fmt: skip
    for owner, name in statements_of:
        statement = getattr(owner, name)
        assert condition in statement
        replace(owner, name, statement.replace(condition, ""))


def marker_moves_back() -> None:
    take = LatestMarker.take

    def take_any(self: Any, row: Any) -> None:
        take(self, row)
        if row.event.read is not None:
            self.read = Position.parse(row.event.read)

    replace(LatestMarker, "take", take_any)
