"""Token buckets: rate limits with a burst of two seconds' worth."""

import threading

from klatsch.core.errors import RateLimited
from klatsch.core.metrics import CAPPED

_BURST_S = 2.0
_SWEPT_FROM = 1_000
PEOPLE_A_TOKEN = 20
"""The recipients that cost one more token: each recipient costs a push and a mark."""


def check_requests(rates: "Buckets", user_id: str, now_s: float, cost: float = 1.0, paid: float = 0.0) -> None:
    """Raises RateLimited when a person asks more than one process answers, over sockets and REST together (D16)."""
    detail = "You are sending too many requests. Try again later."
    rates.check(user_id, now_s, detail, cost=cost, paid=paid, cap="requests")


def tokens_for(people: int) -> int:
    """Returns the cost in tokens of one message to, or one change of, a conversation of that many people."""
    return 1 + people // PEOPLE_A_TOKEN


class TokenBucket:
    """Admits `per_second` on average; 0 means no limit. The caller passes the time in monotonic seconds."""

    __slots__ = ("_at_s", "_most", "_per_second", "_tokens")

    def __init__(self, per_second: float, now_s: float) -> None:
        self._per_second = per_second
        self._most = max(1.0, per_second * _BURST_S)
        self._tokens = self._most
        self._at_s = now_s

    def take(self, now_s: float, cost: float = 1.0, paid: float = 0.0) -> float:
        """Returns 0 when there were enough tokens, else the seconds until then. The cost is capped at a burst.

        `paid` is what this request took before its cost was known, and takes again when it is repeated: both together
        are capped, and waited for.
        """
        if not self._per_second:
            return 0.0
        cost = min(cost, self._most - paid)
        self._tokens = min(self._most, self._tokens + (now_s - self._at_s) * self._per_second)
        self._at_s = now_s
        if self._tokens >= cost:
            self._tokens -= cost
            return 0.0
        return (paid + cost - self._tokens) / self._per_second

    def is_full(self, now_s: float) -> bool:
        """Returns whether the bucket is as full as a new one."""
        return self._tokens + (now_s - self._at_s) * self._per_second >= self._most


class Buckets:
    """A thread-safe bucket per person. Full buckets are dropped, so that little more than recent senders is kept."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._buckets: dict[str, TokenBucket] = {}
        self._sweep_at = _SWEPT_FROM
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, who: str, now_s: float, cost: float = 1.0, paid: float = 0.0) -> float:
        """Takes tokens from a person's bucket, like `TokenBucket.take`."""
        if not self._per_second:
            return 0.0
        with self._lock:
            bucket = self._buckets.get(who)
            if bucket is None:
                if len(self._buckets) >= self._sweep_at:
                    self._sweep(now_s)
                bucket = self._buckets[who] = TokenBucket(self._per_second, now_s)
            return bucket.take(now_s, cost, paid)

    def check(
        self, who: str, now_s: float, detail: str, *, cost: float = 1.0, paid: float = 0.0, cap: str = ""
    ) -> None:
        """Takes tokens from a person's bucket; raises RateLimited with `detail` when there are too few.

        `cap` is the name under which refusals are counted; without one they are not.
        """
        if wait_s := self.take(who, now_s, cost, paid):
            if cap:
                CAPPED.labels(cap).inc()
            raise RateLimited(detail, retry_after=round(wait_s, 3))

    def _sweep(self, now_s: float) -> None:
        self._buckets = {who: bucket for who, bucket in self._buckets.items() if not bucket.is_full(now_s)}
        self._sweep_at = max(_SWEPT_FROM, 2 * len(self._buckets))
