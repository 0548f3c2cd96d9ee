"""Sends: from a client's frame to the log, and the answer when the log does not return the record (D4)."""

import time
from collections.abc import Callable, Sequence

from klatsch.conversations.access import Access
from klatsch.core.bucket import Buckets
from klatsch.core.clock import Clock
from klatsch.core.errors import BadRequest, Gone, RateLimited, Unavailable, Unknown
from klatsch.core.metrics import ANSWERED, APPENDED
from klatsch.eventlog.log import LogWriter, Report
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.feed.lag import Lag
from klatsch.gateway.feed.pending import Pending, Waiter
from klatsch.gateway.feed.reaching import wait_until_read
from klatsch.gateway.hub import ConnectedPerson, Hub
from klatsch.gateway.language import protocol
from klatsch.gateway.language.requests import Send
from klatsch.gateway.lookups import Lookups
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.replies import Replies
from klatsch.messaging.mentions import Mention
from klatsch.messaging.sending import (
    Draft,
    SentMessage,
    check_audience,
    check_content,
    check_draft,
    check_rate,
    check_recent,
    identify,
    needs_lookup,
    send_message,
)
from klatsch.records.header import judged_id

FEED_BEHIND_S = 5.0
"""A feed this far behind cannot answer a send in time (D4)."""


class Sending:
    """Appends what clients send; `gateway.feed.feed` answers.

    Feeds know each use of a `client_id` that was made since `fresh_since_ms`, in ms (`Epoch.fresh_since_ms`).
    `on_loop` runs a function on the loop, from a thread.
    """

    def __init__(
        self,
        *,
        hub: Hub,
        feed: Feed,
        pending: Pending,
        log: LogWriter,
        lookups: Lookups,
        replies: Replies,
        clock: Clock,
        fresh_since_ms: int,
        answer_s: float,
        rates: Buckets,
        lag: Lag,
        on_loop: Callable[[Callable[[], None]], object],
    ) -> None:
        self._hub = hub
        self._feed = feed
        self._pending = pending
        self._log = log
        self._lookups = lookups
        self._replies = replies
        self._clock = clock
        self._fresh_since_ms = fresh_since_ms
        self._answer_s = answer_s
        self._rates = rates
        self._lag = lag
        self._on_loop = on_loop
        self._appended = 0

    def send_at_once(self, person: ConnectedPerson, outbox: Outbox, frame: Send) -> bool:
        """Does what `send` does, if nothing has to be looked up; else returns False, and has done nothing."""
        body = frame.d
        access = self._known_access(person, frame)
        if access is None or body.reply_to is not None or "@" in body.content:
            return False
        draft = Draft(body.content, body.client_id)
        if needs_lookup(draft, self._clock(), self._fresh_since_ms):
            return False
        self.check_may_append(person, outbox)
        if access.receiver is None:
            self.check_audience(access.key, access.sender_id, access.member_count)
        check_content(body.content)  # a `client_id` that needs no lookup is valid
        self.await_answer(outbox, frame.id, self._append(access, draft, ()))
        return True

    async def send(self, person: ConnectedPerson, outbox: Outbox, frame: Send) -> None:
        """Appends a message; the feed answers when it reads it back. After a KlatschError nothing was appended."""
        self.check_may_append(person, outbox)
        access = self._known_access(person, frame)
        if access is None:
            access = await self._find_access(person, frame)
        if access.receiver is None:
            self.check_audience(access.key, access.sender_id, access.member_count)
        draft = Draft(frame.d.content, frame.d.client_id, frame.d.reply_to)
        check_draft(draft)
        judged_ms = self._clock()
        look = needs_lookup(draft, judged_ms, self._fresh_since_ms)
        if look and await self._answer_earlier(person, access, draft, outbox, frame):
            return
        if draft.reply_to is not None and await self._answer_reply(person, access, draft, outbox, frame):
            return
        # Frames of a connection are handled one after the other, so that a lookup keeps their order.
        mentions = await self._lookups.find_mentions(access, draft.content) if "@" in draft.content else ()
        check_recent(judged_ms, self._clock())
        self.await_answer(outbox, frame.id, self._append(access, draft, mentions))

    def check_audience(self, key: bytes, user_id: str, member_count: int) -> None:
        """Raises RateLimited unless the rate has room for what all members of a conversation are told.

        `member_count` counts where the hub does not know how many they are.
        """
        count = self._hub.member_counts.get(key, member_count)
        check_audience(self._rates, user_id, count, time.monotonic())

    def _append(self, access: Access, draft: Draft, mentions: Sequence[Mention]) -> SentMessage:
        return send_message(
            log=self._log, access=access, draft=draft, mentions=mentions, now_ms=self._clock(), report=self.lost
        )

    def await_answer(self, outbox: Outbox, re: int | str, sent: SentMessage) -> None:
        """Lets the feed answer what was just appended; without the record in time, the answer is `unknown`."""
        self._pending.add(
            sent.id, Waiter(outbox, re, sent.id_text, sent.digest, time.monotonic(), sent.value, sent.told)
        )
        self._appended += 1

    def check_may_append(self, person: ConnectedPerson, outbox: Outbox) -> None:
        """Raises RateLimited or Unavailable unless the person may append a record now."""
        if outbox.unanswered >= protocol.UNANSWERED_MOST:
            raise RateLimited(
                f"{protocol.UNANSWERED_MOST} of your sends are unanswered. Wait for their answers.", retry_after=0.1
            )
        now_s = time.monotonic()
        check_rate(self._rates, person.user_id, now_s)
        if self.is_behind(now_s):
            raise Unavailable("The log does not answer. Try again later.", retry_after=1)

    def is_behind(self, now_s: float) -> bool:
        """Returns whether the feed is too far behind, with this gateway's records or any, to answer a send in time."""
        oldest_s = self._pending.oldest_s()
        if oldest_s is not None and now_s - oldest_s > FEED_BEHIND_S:
            return True
        return self._lag.seconds > FEED_BEHIND_S

    @staticmethod
    def _known_access(person: ConnectedPerson, frame: Send) -> Access | None:
        body = frame.d
        if (body.conversation is None) == (body.to is None):
            raise BadRequest("Give either `conversation` or `to`.")
        if body.conversation is not None:
            return person.writable.get(body.conversation.encode())
        return person.direct.get((body.to or "").lower())  # usernames are ASCII and unique in any case

    async def _find_access(self, person: ConnectedPerson, frame: Send) -> Access:
        """Asks PostgreSQL whenever the cache has no right to write: the conversation may be a millisecond old (D9)."""
        access, version = await self._lookups.find_access(person, frame.d.conversation, frame.d.to)
        self._hub.admit(person, access, version)
        return access

    async def _answer_earlier(
        self, person: ConnectedPerson, access: Access, draft: Draft, outbox: Outbox, frame: Send
    ) -> bool:
        """Answers with the archived message of an old client_id, if there is one; returns whether it did."""
        sent = identify(access, draft)
        position = await self._lookups.find_earlier(person, access, sent)
        if position is None:
            return False
        await wait_until_read(self._feed, position)
        ANSWERED["duplicate"].inc()
        outbox.answer(protocol.ok_sent(frame.id, sent.id_text, position, duplicate=True))
        return True

    async def _answer_reply(
        self, person: ConnectedPerson, access: Access, draft: Draft, outbox: Outbox, frame: Send
    ) -> bool:
        """Checks the original of a reply; returns whether the send is answered.

        A retry is answered as before, even if the original was deleted since.
        """
        try:
            await self._replies.check(access, draft.reply_to or "")
        except Gone:
            if not await self._answer_earlier(person, access, draft, outbox, frame):
                raise
            return True
        return False

    def lost(self, report: Report) -> None:
        """Takes the writer's report of a failed append, on its thread: the record may or may not be in the log."""
        self._on_loop(lambda: self.give_up(judged_id(report.entry.judge)))

    def give_up(self, message_id: bytes) -> None:
        """Answers `unknown`. If the record arrives later, it is a push like any other."""
        for waiter in self._pending.take(message_id):
            ANSWERED["unknown"].inc()
            error = Unknown("No answer from the log in time. Send it again with the same client_id.", retry_after=1)
            waiter.outbox.answer(protocol.err(waiter.re, error))

    def fold(self) -> None:
        """Updates the metrics; call it before they are read."""
        APPENDED.inc(self._appended)
        self._appended = 0

    def tick(self) -> None:
        """Gives up overdue sends and checks the feed's lag; called twice a second."""
        self._lag.look(time.monotonic())
        for message_id in self._pending.overdue(time.monotonic() - self._answer_s):
            self.give_up(message_id)
