"""post_message: a blocking send. The log's report gives the message's position, the archive its fate (D8)."""

from dataclasses import dataclass

import msgspec

from klatsch.archive.fates import Fate, find_fate
from klatsch.archive.message_view import MessageView, view_of_posted
from klatsch.archive.originals import Original
from klatsch.conversations.access import Access
from klatsch.core.clock import Clock
from klatsch.core.errors import Conflict, Gone, InvalidContent, KlatschError
from klatsch.core.tracing import current_trace
from klatsch.eventlog.places import Position
from klatsch.messaging.lookup import Earlier, find_earlier
from klatsch.messaging.mentions import find_mentions_of
from klatsch.messaging.outcomes import counted, name_in_use, refusal_of
from klatsch.messaging.replies import check_reply
from klatsch.messaging.reports import ReportSlot, Route, wait_for_report
from klatsch.messaging.sending import Draft, SentMessage, check_recent, identify, needs_lookup, send_message
from klatsch.postgres.outages import DATABASE_ERRORS, is_outage
from klatsch.records.judge import Verdict
from klatsch.records.messages import MessagePosted


@dataclass(frozen=True, slots=True)
class Posted:
    """A message in the log. If `archived` it is final; else it is not judged yet."""

    message: MessageView
    archived: bool


@counted
def post_message(*, route: Route, access: Access, draft: Draft, clock: Clock) -> Posted:
    """Sends a message and returns its outcome; blocks for at most about both deadlines of the route.

    A retry of the same `client_id` returns the original. Raises Conflict when that has another body, NotAMember or
    Blocked when the sender was removed or blocked before it, and InvalidContent when the archive refused it. Raises
    Unknown when the log did not report in time. Raises what `send_message` and `find_earlier` raise, which have
    appended nothing. Raises NotFound or Gone for a message that the draft cannot reply to. The draft has passed
    `check_draft`.
    """
    epoch = route.progress.epoch  # read now: a failure after the append would come too late
    judged_ms = clock()
    if needs_lookup(draft, judged_ms, route.fresh_since_ms) and (earlier := _find_earlier(route, access, draft)):
        return Posted(_check_same(earlier.message, earlier.digest, identify(access, draft)), archived=True)
    if draft.reply_to is not None and (earlier := _check_reply(route, access, draft)):
        return Posted(_check_same(earlier.message, earlier.digest, identify(access, draft)), archived=True)
    slot = ReportSlot()
    mentions = find_mentions_of(draft.content, access)
    now_ms = clock()
    check_recent(judged_ms, now_ms)
    sent = send_message(
        log=route.log,
        access=access,
        draft=draft,
        mentions=mentions,
        now_ms=now_ms,
        report=slot.take,
        trace=current_trace(),
    )
    position = wait_for_report(slot, route.report_s, epoch)
    message = _read_archived(route, access, sent, position)
    if message is not None:
        return Posted(message, archived=True)
    logged = view_of_posted(msgspec.json.decode(sent.value, type=MessagePosted), str(position))
    return Posted(logged, archived=False)


def _find_earlier(route: Route, access: Access, draft: Draft) -> Earlier | None:
    with route.waits.enter(access.sender_id):
        return find_earlier(
            ends=route.ends,
            progress=route.progress,
            key=access.key,
            message_id=identify(access, draft).id,
            wait_s=route.archive_s,
        )


def _check_reply(route: Route, access: Access, draft: Draft) -> Earlier | None:
    """Checks the original of a reply; returns the earlier message if this is a retry and the original was deleted."""
    original = Original(access.conversation, draft.reply_to or "")
    try:
        with route.waits.enter(access.sender_id):
            check_reply(
                ends=route.ends, progress=route.progress, key=access.key, original=original, wait_s=route.archive_s
            )
    except Gone:
        earlier = _find_earlier(route, access, draft)
        if earlier is None:
            raise
        return earlier
    return None


def _read_archived(route: Route, access: Access, sent: SentMessage, position: Position) -> MessageView | None:
    """Returns the archived message, or None while the archive is behind; raises the archive's refusal."""
    if not route.progress.wait_for(position.partition, position.offset, route.archive_s):
        return None
    try:
        fate = find_fate(own_id=sent.id, position=position)
    except DATABASE_ERRORS as error:
        if not is_outage(error):
            raise
        return None  # PostgreSQL is away now, but the message is safe in the log
    if fate.message is not None and fate.digest is not None:
        return _check_same(fate.message, fate.digest, sent)
    if fate.next_offset <= position.offset:
        return None  # a hint of another epoch's persister ended the wait
    raise _refusal(fate, access)


def _check_same(message: MessageView, digest: bytes, sent: SentMessage) -> MessageView:
    if digest != sent.digest:
        raise Conflict("This client_id has been used for another message.")
    return message


def _refusal(fate: Fate, access: Access) -> KlatschError:
    """Returns the reason why a record that the archive has passed is not in it."""
    if fate.is_change:
        return name_in_use()
    if fate.is_dead_letter:
        return InvalidContent("The archive could not store this message; it is kept for an administrator.")
    # Nobody is ever removed from a direct conversation, nor blocked in a group.
    return refusal_of(Verdict.BLOCKED if access.kind == "direct" else Verdict.REMOVED)
