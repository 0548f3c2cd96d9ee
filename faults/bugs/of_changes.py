"""Bugs of edits, deletions, reactions and pins, each a function with the name of `catalogue`."""

import dataclasses
import sys
from typing import Any

import msgspec

from faults.bugs.replacing import is_gateway, nobody_is, replace
from klatsch.eventlog.log import Record
from klatsch.gateway import changing
from klatsch.gateway.feed import changes as feed_changes
from klatsch.gateway.feed.changes import Settled
from klatsch.gateway.feed.feed import Feed
from klatsch.messaging import applying
from klatsch.records import verdicts
from klatsch.records.header import EDITED, NEW_MESSAGE
from klatsch.records.judge import Memberships

_BEHIND_MS = 120_000


def late_edit_revives() -> None:
    """Lets gateways append edits of deleted messages, so that there is something to judge."""
    judge = verdicts.judge_change

    def forgiving(record: Record, target: verdicts.Target, memberships: Memberships) -> Any:
        if record.judge[0] != EDITED:
            return judge(record, target, memberships)
        as_if = verdicts.Target(deleted=False, edited=target.edited, reactions=target.reactions, pinned=target.pinned)
        return judge(record, as_if, memberships)

    replace(feed_changes, "judge_change", forgiving)
    _check_as_if(deleted=False)


def copy_undoes_edit() -> None:
    find = Feed._find_original

    def find_message(self: Any, record: Record, own_id: bytes) -> int | None:
        return find(self, record, own_id) if record.judge[0] == NEW_MESSAGE else None

    replace(Feed, "_find_original", find_message)


def demoted_admin_deletes() -> None:
    """Lets gateways check by the role that a person had, so that there is something to judge."""
    replace(Memberships, "is_demoted", nobody_is)
    _check_as_if(role="admin")


def _check_as_if(**fields: object) -> None:
    """Makes the check before the append look at a message and an actor with these facts."""
    for module in (changing, applying):
        check = module.check_facts

        def check_otherwise(wish: Any, facts: Any, *, check: Any = check, **rest: Any) -> None:
            check(wish, msgspec.structs.replace(facts, **fields), **rest)

        replace(module, "check_facts", check_otherwise)


def fresh_feed_judges_otherwise() -> None:
    replace(Settled, "find", nobody_is)


def wrong_clock_check() -> None:
    """Sets the clock by which gateways check two minutes back, so that there is something to judge."""
    replace(verdicts, "CHECK_MOST_MS", sys.maxsize)
    if is_gateway():
        check = changing.Changing._check

        async def check_long_ago(self: Any, *target: Any) -> Any:
            checked = await check(self, *target)
            return dataclasses.replace(checked, at_ms=checked.at_ms - _BEHIND_MS)

        replace(changing.Changing, "_check", check_long_ago)
