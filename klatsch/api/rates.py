"""The rate limit on a person's requests, over REST and sockets together (D16)."""

import time
from typing import Any, Final

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from klatsch.core.bucket import Buckets, check_requests

REQUEST_RATES: Final = "klatsch.request_rates"
"""The key of a request's environment that holds the process's buckets."""


class RequestRate(BaseThrottle):
    """Raises RateLimited for a person who asks too often.

    Methods that a view names in `own_rate` have limits of their own: sends and changes count as messages.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        buckets: Buckets | None = request.META.get(REQUEST_RATES)
        own_rate = getattr(view, "own_rate", ())
        if buckets is not None and request.user.is_authenticated and request.method not in own_rate:
            check_requests(buckets, str(request.user.pk), time.monotonic())
        return True


def charge(request: Request, cost: int) -> None:
    """Counts a request as `cost` of them, the first of which `RequestRate` has counted; raises RateLimited."""
    buckets: Buckets | None = request.META.get(REQUEST_RATES)
    if buckets is not None:
        check_requests(buckets, str(request.user.pk), time.monotonic(), cost - 1, paid=1)
