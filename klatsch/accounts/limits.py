"""Rate limits on sign-ins, registrations and resets, counted in PostgreSQL, so by all processes together (D16).

A try is counted before it is made, in one transaction, so that concurrent tries do not slip through. A success takes
its try back. A refused try is only read: continued guessing costs no write.

A window begins with its first try and ends after a fixed time, however many tries follow: no account stays locked. The
table keeps keyed digests instead of names and addresses, and counts unknown names like known ones.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from klatsch.accounts.addresses import address_key
from klatsch.core.errors import RateLimited
from klatsch.core.metrics import CAPPED

_HOUR_S: Final = 3_600
_OWN_PASSWORD_CREDENTIALS: Final = 5
"""The number of a person's credentials to close to guesses before all are closed: each could create others."""
_IPV6_PREFIX: Final = 64
"""The network that one IPv6 subscriber has. A limit by single address would limit nothing."""
_GIVEN: Final = "unnest(%(whats)s::text[], %(whos)s::text[], %(mosts)s::int[]) AS t (what, who, most)"
_LIVE: Final = "a.since >= clock_timestamp() - %(window)s * interval '1 s'"
_LEFT_S: Final = f"""
    SELECT max(extract(epoch FROM a.since - clock_timestamp())::float8 + %(window)s)
    FROM accounts_attempts a JOIN {_GIVEN} USING (what, who)
    WHERE a.count >= t.most AND {_LIVE}"""  # noqa: S608 - of constants
_COUNT: Final = f"""
    INSERT INTO accounts_attempts AS a (what, who, since, count)
    SELECT t.what, t.who, clock_timestamp(), 1 FROM {_GIVEN}
    ON CONFLICT (what, who) DO UPDATE SET
        count = CASE WHEN {_LIVE} THEN a.count + 1 ELSE 1 END,
        since = CASE WHEN {_LIVE} THEN a.since ELSE clock_timestamp() END
    WHERE NOT ({_LIVE} AND a.count >= (SELECT most FROM {_GIVEN} WHERE (t.what, t.who) = (a.what, a.who)))
    RETURNING count"""  # noqa: S608 - of constants
# Rows that a try is counting are left for the next time: to wait for them could be a deadlock.
_FORGET: Final = """
    DELETE FROM accounts_attempts WHERE (what, who) IN (
        SELECT what, who FROM accounts_attempts WHERE since < clock_timestamp() - interval '1 day'
        FOR UPDATE SKIP LOCKED)"""
# Rows are locked in the order in which they are counted, so that two transactions never deadlock.
_TAKE_BACK: Final = f"""
    WITH counted AS (
        SELECT a.what, a.who FROM accounts_attempts a JOIN {_GIVEN} USING (what, who)
        ORDER BY a.what FOR UPDATE OF a)
    UPDATE accounts_attempts a
    SET count = CASE WHEN a.what IN ('sign_in', 'own_password') THEN 0 ELSE greatest(a.count - 1, 0) END
    FROM counted WHERE (a.what, a.who) = (counted.what, counted.who)"""  # noqa: S608 - of constants


class Try(NamedTuple):
    """A try to count: what is tried, the digest of its subject, and how many are allowed in a window."""

    what: str
    who: str
    most: int


def sign_in_tries(http: HttpRequest, login: str) -> list[Try]:
    """Returns a sign-in's tries: by the typed name or address, known or not, and by network address.

    An account's username and e-mail address count apart: a shared limit would reveal that they are one account's.
    """
    env = settings.ENV
    return [
        Try("sign_in", _digest(login), env["KLATSCH_SIGN_IN_FAILURES"]),
        Try("sign_in_from", _digest(client_network(http)), env["KLATSCH_SIGN_IN_FAILURES_ADDRESS"]),
    ]


def own_password_tries(person_id: UUID, credential: str) -> list[Try]:
    """Returns a signed-in person's password check as tries, by credential and by person.

    Strangers' failures count for neither. A stolen credential is closed to guesses long before the owner's other
    credentials are.
    """
    most = settings.ENV["KLATSCH_SIGN_IN_FAILURES"]
    return [
        Try("own_password", _digest(credential), most),
        Try("own_password_of", _digest(str(person_id)), _OWN_PASSWORD_CREDENTIALS * most),
    ]


def count_sign_in(tries: Sequence[Try]) -> None:
    """Raises RateLimited after too many failures."""
    _count(tries, settings.ENV["KLATSCH_COOL_OFF_MINUTES"] * 60)


def take_back(tries: Sequence[Try]) -> None:
    """Takes tries back after a success. A name's or credential's count becomes zero; the wider counts lose one try."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_BACK, _parameters(tries))


def count_registration(http: HttpRequest) -> None:
    """Raises RateLimited after too many registrations from the request's network."""
    _count([Try("register", _digest(client_network(http)), settings.ENV["KLATSCH_REGISTRATIONS_PER_HOUR"])], _HOUR_S)


def count_reset(http: HttpRequest, email: str) -> None:
    """Raises RateLimited after too many resets for this address, known or not, or from the request's network."""
    most = settings.ENV["KLATSCH_RESETS_PER_HOUR"]
    _count(
        [Try("reset", _digest(address_key(email)), most), Try("reset_from", _digest(client_network(http)), 10 * most)],
        _HOUR_S,
    )


def count_report(person_id: UUID) -> None:
    """Raises RateLimited after too many reports of messages by this person."""
    _count([Try("report", _digest(str(person_id)), settings.ENV["KLATSCH_REPORTS_PER_HOUR"])], _HOUR_S)


def client_network(http: HttpRequest) -> str:
    """Returns the client network of a request: of the socket's peer, or as KLATSCH_TRUSTED_PROXIES proxies name it."""
    return network_of(http.META.get("REMOTE_ADDR", ""), http.META.get("HTTP_X_FORWARDED_FOR", ""))


def network_of(address: str, forwarded: str) -> str:
    """Returns the client network for a peer's address and the text of X-Forwarded-For, like `client_network`."""
    proxies: int = settings.ENV["KLATSCH_TRUSTED_PROXIES"]
    hops = [hop.strip() for hop in forwarded.split(",")]
    if 0 < proxies <= len(hops):
        # Each of our proxies appends its peer's address; what stands before is the client's claim.
        address = hops[-proxies]
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return str(ipaddress.ip_network((ip, _IPV6_PREFIX), strict=False))
        ip = ip.ipv4_mapped  # A dual-stack socket maps IPv4 addresses so: their /64 would be all of IPv4.
    return str(ip)


def _count(tries: Sequence[Try], window_s: int) -> None:
    parameters = {"window": window_s, **_parameters(tries)}
    with connection.cursor() as cursor:
        _check(cursor, parameters)
        with transaction.atomic():
            cursor.execute(_COUNT, parameters)
            counts = [count for (count,) in cursor.fetchall()]
            # Concurrent tries took the room: the exception rolls this statement's counts back.
            if len(counts) < len(tries):
                _check(cursor, parameters)
                raise _too_many(1.0)
        if 1 in counts:
            cursor.execute(_FORGET)


def _check(cursor: Any, parameters: dict[str, Any]) -> None:
    cursor.execute(_LEFT_S, parameters)
    [left_s] = cursor.fetchone()
    if left_s is not None:
        raise _too_many(left_s)


def _too_many(left_s: float) -> RateLimited:
    CAPPED.labels("attempts").inc()
    return RateLimited("Too many attempts. Try again later.", retry_after=max(1.0, left_s))


def _parameters(tries: Sequence[Try]) -> dict[str, Any]:
    return {
        "whats": [one.what for one in tries],
        "whos": [one.who for one in tries],
        "mosts": [one.most for one in tries],
    }


def _digest(who: str) -> str:
    return salted_hmac("klatsch.accounts.limits", who, algorithm="sha256").hexdigest()
