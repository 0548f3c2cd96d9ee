"""Marks and flags of REST: they ask the archive for the marker, and block while it is behind (D8, D19)."""

from uuid import UUID

from klatsch.archive.markers import StoredMarker, find_markers
from klatsch.conversations.queries import no_such_conversation
from klatsch.core.errors import Unavailable
from klatsch.core.tracing import current_trace
from klatsch.eventlog.log import Entry, LogError
from klatsch.eventlog.partitions import partition_of
from klatsch.eventlog.places import Position
from klatsch.messaging.lookup import ENDS_WAIT_S, behind, read_ends
from klatsch.messaging.marking import Marking
from klatsch.messaging.marks import Mark, Marked, Whose, check_mark, check_place, clamp, highest, is_after, marker_entry
from klatsch.messaging.reports import ReportSlot, Route, wait_for_report


def mark_conversation(
    *,
    marking: Marking,
    route: Route,
    user_id: UUID,
    conversation_id: UUID,
    delivered: str | None,
    read: str | None,
    now_s: float,
) -> Marked:
    """Moves a person's marker and returns it as it is then; lower positions change nothing.

    Raises NotFound, BadRequest, and NotArchivedYet when the archive does not have the message at the position in time.
    """
    stored = _get_marker(user_id, conversation_id)
    whose = _whose(stored, user_id, conversation_id)
    mark = check_mark(key=whose.key, delivered=delivered, read=read, epoch=stored.epoch, partitions=stored.partitions)
    wanted = mark.read if is_after(mark.read, mark.delivered) else mark.delivered
    if _wait_for(route, user_id, wanted, stored):
        stored = _get_marker(user_id, conversation_id)
    marking.load(whose, stored)
    return marking.mark(whose, mark, last=stored.last, member_count=None, now_s=now_s)


def flag_unread(
    *, marking: Marking, route: Route, user_id: UUID, conversation_id: UUID, position: str | None, now_s: float
) -> Marked:
    """Marks a conversation as unread from a position, or takes that back; returns the person's marker as it is then.

    A mark of this process that is not in the log yet is appended before, as it would take the flag away. Blocks until
    the log has the record, and until the archive has it or its deadline passes. Raises NotFound, BadRequest,
    NotArchivedYet, Unavailable, Unknown.
    """
    stored = _get_marker(user_id, conversation_id)
    whose = _whose(stored, user_id, conversation_id)
    flag = None
    if position is not None:
        partition = partition_of(whose.key, stored.partitions)
        flag = check_place("position", position, stored.epoch, partition)
        if _wait_for(route, user_id, flag, stored):
            stored = _get_marker(user_id, conversation_id)
        flag = clamp(flag, stored.last)
    entry = marker_entry(whose, Mark(), unread_from=flag, own_only=True, trace=current_trace())
    marking.append(whose, now_s)
    now = highest(marking.find(whose) or Marked(), stored.delivered, stored.read)
    with route.waits.enter(str(user_id)):
        _append(route, entry, stored.epoch)
    return Marked(now.delivered, now.read, flag)


def _append(route: Route, entry: Entry, epoch: int) -> None:
    """Appends an entry and waits for the log's report, then for the archive; raises Unavailable, Unknown."""
    slot = ReportSlot()
    try:
        route.log.append(entry, slot.take)
    except LogError as error:
        raise Unavailable("The log accepts nothing right now. Try again later.", retry_after=1) from error
    at = wait_for_report(slot, route.report_s, epoch)
    route.progress.wait_for(at.partition, at.offset, route.archive_s)


def _get_marker(user_id: UUID, conversation_id: UUID) -> StoredMarker:
    """Returns a member's marker; raises one NotFound for unknown conversations and other people's."""
    stored = find_markers([(user_id, conversation_id)]).get((user_id, conversation_id))
    if stored is None:
        raise no_such_conversation()
    return stored


def _whose(stored: StoredMarker, user_id: UUID, conversation_id: UUID) -> Whose:
    return Whose(str(conversation_id), stored.user, str(user_id))


def _wait_for(route: Route, user_id: UUID, wanted: Position | None, stored: StoredMarker) -> bool:
    """Waits for the archive if it has no message at the position yet; returns whether it waited.

    A position beyond the log's end is nobody's message: the archive is asked for everything before the end.
    """
    if wanted is None or not is_after(wanted, stored.last) or wanted.epoch < stored.epoch:
        return False
    with route.waits.enter(str(user_id)):
        end = read_ends(route.ends, ENDS_WAIT_S).get(wanted.partition, 0)
        offset = min(wanted.offset, end - 1)
        if offset >= 0 and not route.progress.wait_for(wanted.partition, offset, route.archive_s):
            raise behind()
    return True
