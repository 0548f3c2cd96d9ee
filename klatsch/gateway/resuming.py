"""Resuming: the answer to `hello`, and the replay since a token (D7)."""

from collections.abc import Callable

from klatsch.core.clock import Clock, timestamp
from klatsch.eventlog.places import ResumeToken
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.feed.reaching import has_come_to
from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language.protocol import FRAME_BYTES_MOST, UNANSWERED_MOST
from klatsch.gateway.language.tokens import Tokens
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.replay import Replays, never
from klatsch.records.messages import CONTENT_MOST


class Resuming:
    """Brings connections from their tokens to the present. `mark_s` is the time between two resume marks."""

    def __init__(self, *, feed: Feed, tokens: Tokens, replays: Replays, clock: Clock, mark_s: int) -> None:
        self._feed = feed
        self._tokens = tokens
        self._replays = replays
        self._clock = clock
        self._mark_s = mark_s

    async def resume(
        self,
        person: ConnectedPerson,
        outbox: Outbox,
        resume: str | None,
        answer: Callable[[bool], object],
        enough: Callable[[], bool] = never,
    ) -> None:
        """Calls `answer` with whether the token is usable, and replays what was missed since, until the mark.

        When `enough` returns True, the mark is that of the reached place, and nothing more is told. Raises Unavailable
        when the archive does not answer.
        """
        token = None if resume is None else await self._usable(resume, person)
        answer(token is not None)
        if token is not None:
            await self._replays.run(person, outbox, token.offsets, enough)
        elif resume is not None:
            reset = dict.fromkeys(person.access, self._tokens.why_useless(resume))
            await self._replays.begin(person, outbox, reset, ended=range(len(self._feed.offsets)))
        else:
            await self._replays.begin(person, outbox, {})

    async def _usable(self, text: str, person: ConnectedPerson) -> ResumeToken | None:
        """Returns the token once this feed has reached it: another gateway may be a moment ahead (D7)."""
        token = self._tokens.read(text, person.user_id)
        if token is not None and await has_come_to(self._feed, dict(enumerate(token.offsets))):
            return token
        return None

    def welcome(self, person: ConnectedPerson, *, resumed: bool) -> dict[str, object]:
        """Returns the body of the answer to `hello`."""
        return {
            "user": person.username,
            "resumed": resumed,
            "heartbeat": self._mark_s,
            "now": timestamp(self._clock()),
            "limits": {"unanswered": UNANSWERED_MOST, "frame": FRAME_BYTES_MOST, "text": CONTENT_MOST},
        }
