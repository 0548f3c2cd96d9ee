"""Resume tokens of this feed: how far a client has come, by what the feed has read (D7)."""

from collections.abc import Sequence

from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.language import protocol
from klatsch.gateway.language.protocol import Token


class Tokens:
    """Makes and reads the tokens of one feed; `secret` ties each to its person."""

    def __init__(self, feed: Feed, secret: str) -> None:
        self._feed = feed
        self._secret = secret

    def now(self, user_id: str) -> str:
        """The token of somebody to whom all that the feed has read was sent."""
        return self.of(user_id, self._feed.offsets)

    def of(self, user_id: str, offsets: Sequence[int]) -> str:
        """The token of somebody who has all before these offsets."""
        return self.text(user_id, protocol.token_tail(offsets))

    def tail(self) -> str:
        """What the tokens of this moment have in common."""
        return protocol.token_tail(self._feed.offsets)

    def text(self, user_id: str, tail: str) -> str:
        return protocol.token_text(self._feed.epoch, protocol.user_hash(user_id, self._secret), tail)

    def read(self, text: str, user_id: str) -> Token | None:
        """The token, if it is this person's, of this epoch and of this many partitions."""
        token = protocol.parse_token(text)
        if token is None or token.epoch != self._feed.epoch or len(token.offsets) != len(self._feed.offsets):
            return None
        return token if token.user_hash == protocol.user_hash(user_id, self._secret) else None

    def why_useless(self, text: str) -> str:
        """The reason of the reset that a token gets which cannot be used at all."""
        token = protocol.parse_token(text)
        return "unknown_epoch" if token is None or token.epoch != self._feed.epoch else "too_far_behind"
