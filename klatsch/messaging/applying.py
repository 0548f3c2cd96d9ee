"""apply_change: a blocking change of a message. The log's report gives its position, the archive its fate (D8, D18)."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from klatsch.archive.details import no_such_message
from klatsch.archive.fates import Fate, find_fate
from klatsch.archive.histories import find_readable_message
from klatsch.archive.message_view import MessageView
from klatsch.archive.targets import (
    MODERATION,
    Facts,
    Own,
    Wanted,
    find_own,
    read_facts,
    read_facts_of_any,
)
from klatsch.core.bucket import Buckets
from klatsch.core.clock import Clock, timestamp
from klatsch.core.errors import InvalidContent, KlatschError, NotArchivedYet
from klatsch.core.ids import is_fresh, uuid_bytes, uuid_text
from klatsch.core.tracing import current_trace
from klatsch.eventlog.partitions import partition_of
from klatsch.eventlog.places import Position
from klatsch.messaging.changing import (
    Delete,
    Edit,
    Wish,
    change_message,
    check_announced,
    check_facts,
    check_own,
    identify_change,
    is_overtaken,
    naming_in,
    needs_role,
    with_mentions,
)
from klatsch.messaging.expecting import expect_view
from klatsch.messaging.lookup import ENDS_WAIT_S, read_ends
from klatsch.messaging.mentions import find_mentions
from klatsch.messaging.outcomes import counted, name_in_use, refusal_of
from klatsch.messaging.reports import ReportSlot, Route, wait_for_report
from klatsch.messaging.sending import SentMessage, check_audience
from klatsch.postgres.outages import DATABASE_ERRORS, is_outage
from klatsch.records.judge import Verdict

_LOOKS: Final = 2
_Read = Callable[[Collection[Wanted]], dict[Wanted, Facts]]


@dataclass(frozen=True, slots=True)
class Applied:
    """A changed message. If `archived` the change is final; else it is in the log, and not judged yet."""

    message: MessageView
    archived: bool


@counted
def apply_change(
    *, route: Route, rates: Buckets, wanted: Wanted, wish: Wish, client_id: str, clock: Clock, edit_window_s: int
) -> Applied:
    """Changes a message and returns it as it then is; blocks for at most about the deadlines of the route.

    A retry of the same `client_id` returns the message too. Raises Conflict, Gone, Forbidden, NotAMember or Blocked
    when the change does not count, and Unknown when the log did not report in time. Raises NotFound, NotArchivedYet,
    RateLimited, Unavailable and what `check_facts` raises, after which nothing was appended. The change has passed
    `check_rate` and `check_change`.
    """
    epoch = route.progress.epoch
    at_ms = clock()
    facts = find_target(route, wanted)
    check_audience(rates, facts.user_id, facts.member_count, time.monotonic())
    if not is_fresh(client_id, at_ms, route.fresh_since_ms) and _find_applied(facts, wish, client_id):
        return Applied(_read(facts), archived=True)
    try:
        check_facts(wish, facts, now_ms=at_ms, edit_window_s=edit_window_s)
    except KlatschError:  # perhaps because of this very change: a retry after `unknown`
        if _find_applied(facts, wish, client_id):
            return Applied(_read(facts), archived=True)
        raise
    if isinstance(wish, Edit) and (naming := naming_in(wish, facts)) is not None:
        wish = with_mentions(wish, find_mentions([naming])[naming])
    now_ms = clock()
    sent, position = _append(route, facts, wish, client_id, epoch=epoch, checked_at_ms=at_ms, now_ms=now_ms)
    message = _read_archived(route, facts, wish, sent, position)
    if message is not None:
        return Applied(message, archived=True)
    return Applied(
        expect_view(_read(facts), wish, facts, position=str(position), now=timestamp(now_ms)), archived=False
    )


def delete_as_moderator(*, route: Route, message_id: bytes, clock: Clock) -> None:
    """Deletes any message, like its author could; blocks for at most about the deadlines of the route.

    The record names no moderator. On return it is in the log. Repeating it is harmless. Raises NotFound, Unknown,
    NotArchivedYet, Unavailable.
    """
    epoch = route.progress.epoch
    at_ms = clock()
    facts = find_target(route, Wanted(message_id, MODERATION.bytes), read_facts_of_any)
    if facts.deleted:
        return
    check_announced(facts)
    name = facts.message_id  # so that two moderators make one change
    _, position = _append(route, facts, Delete(), name, epoch=epoch, checked_at_ms=at_ms, now_ms=clock())
    route.progress.wait_for(position.partition, position.offset, route.archive_s)


def find_target(route: Route, wanted: Wanted, read: _Read = read_facts) -> Facts:
    """Returns the message as it was when the archive had all that the log held at the call.

    Raises NotFound, NotArchivedYet, Unavailable.
    """
    waited: set[int] = set()
    with route.waits.enter(uuid_text(wanted.user_id)):
        ends = read_ends(route.ends, ENDS_WAIT_S)
        deadline_s = time.monotonic() + route.archive_s
        for _ in range(_LOOKS + 1):
            facts = read([wanted]).get(wanted)
            # A message that is not there may be too new for the archive, in any partition.
            needed = set(ends) if facts is None else {partition_of(facts.key, len(ends))}
            if needed <= waited:
                break
            for partition in needed - waited:
                left_s = max(0.0, deadline_s - time.monotonic())
                if ends[partition] > 0 and not route.progress.wait_for(partition, ends[partition] - 1, left_s):
                    raise NotArchivedYet("The archive has not reached this message yet. Try again.", retry_after=1)
            waited |= needed
    if facts is None:
        raise no_such_message()
    return facts


def _find_applied(facts: Facts, wish: Wish, client_id: str) -> Own | None:
    """Returns the archived change of that client_id, if there is one; raises Conflict for another body."""
    own = find_own(identify_change(facts, client_id))
    if own is not None:
        check_own(own, wish, facts)
    return own


def _append(
    route: Route, facts: Facts, wish: Wish, client_id: str, *, epoch: int, checked_at_ms: int, now_ms: int
) -> tuple[SentMessage, Position]:
    """Appends a change, and returns it with its position once the log has reported it; raises Unavailable, Unknown."""
    slot = ReportSlot()
    sent = change_message(
        log=route.log,
        facts=facts,
        wish=wish,
        client_id=client_id,
        epoch=epoch,
        checked_at_ms=checked_at_ms,
        now_ms=now_ms,
        report=slot.take,
        trace=current_trace(),
    )
    return sent, wait_for_report(slot, route.report_s, epoch)


def _read_archived(route: Route, facts: Facts, wish: Wish, sent: SentMessage, position: Position) -> MessageView | None:
    """Returns the changed message, or None while the archive is behind; raises the change's refusal."""
    if not route.progress.wait_for(position.partition, position.offset, route.archive_s):
        return None
    try:
        fate = find_fate(own_id=sent.id, position=position)
        if fate.digest == sent.digest:
            return _read(facts)
        if fate.digest is None and fate.next_offset <= position.offset:
            return None  # a hint of another epoch's persister ended the wait
        raise _refusal(fate, facts, wish)
    except DATABASE_ERRORS as error:
        if not is_outage(error):
            raise
        return None  # PostgreSQL is away now, but the change is safe in the log


def _refusal(fate: Fate, facts: Facts, wish: Wish) -> KlatschError:
    """Returns the reason why a record that the archive has passed does not count, by what is true now."""
    if fate.digest is not None:
        return name_in_use()
    if fate.is_dead_letter:
        return InvalidContent("The archive could not store this change; it is kept for an administrator.")
    wanted = Wanted(uuid_bytes(facts.message_id), uuid_bytes(facts.user_id))
    now = read_facts([wanted]).get(wanted)
    if now is None:
        return refusal_of(Verdict.REMOVED)
    return refusal_of(_reason(now, wish), changed=now.edited)


def _reason(now: Facts, wish: Wish) -> Verdict:
    """Returns the likely verdict on a change that does not count, by what is true now."""
    if now.blocked:
        return Verdict.BLOCKED
    if now.deleted:
        return Verdict.GONE
    if needs_role(wish, now) and now.role == "member":
        return Verdict.DEMOTED
    return Verdict.CONFLICT if isinstance(wish, Edit) and is_overtaken(wish, now) else Verdict.LATE


def _read(facts: Facts) -> MessageView:
    """Returns the message as it is now; raises NotAMember where the person was removed meanwhile."""
    message = find_readable_message(uuid_bytes(facts.message_id), uuid_bytes(facts.user_id))
    if message is None:
        raise refusal_of(Verdict.REMOVED)
    return message
