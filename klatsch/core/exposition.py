"""`/metrics` as every process answers it: Prometheus' text, for whoever has the token where one is set."""

import hmac

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST


def exposition() -> bytes:
    """All that this process counts; takes under a millisecond."""
    return generate_latest(REGISTRY)


def may_read(authorization: str, token: str) -> bool:
    """Returns whether the `Authorization` header may see the metrics; always if no token is configured."""
    if not token:
        return True
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
