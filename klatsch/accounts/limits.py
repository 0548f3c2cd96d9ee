"""How often somebody may try: counted in PostgreSQL, so by all processes together (D16).

A try is counted before it is made, in one transaction, so that many at once do not slip through; a success takes it
back. A refused one is only read: guessing on costs no write.
A window begins with its first try and ends in its time however many follow: nobody is locked out for ever. Who tried is
kept as a keyed digest: the table tells neither names nor addresses, and counts for people who do not exist alike.
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
"""How many of a person's credentials have to be closed to guesses before all are: each can make others."""
_IPV6_PREFIX: Final = 64
"""What one subscriber has of IPv6: a limit by single address would be none."""
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
_FORGET: Final = "DELETE FROM accounts_attempts WHERE since < clock_timestamp() - interval '1 day'"
# Rows are locked in the order in which they are counted, so that nobody waits for each other.
_TAKE_BACK: Final = f"""
    WITH counted AS (
        SELECT a.what, a.who FROM accounts_attempts a JOIN {_GIVEN} USING (what, who)
        ORDER BY a.what FOR UPDATE OF a)
    UPDATE accounts_attempts a
    SET count = CASE WHEN a.what IN ('sign_in', 'own_password') THEN 0 ELSE greatest(a.count - 1, 0) END
    FROM counted WHERE (a.what, a.who) = (counted.what, counted.who)"""  # noqa: S608 - of constants


class Try(NamedTuple):
    """What is tried, by whom or on whom, and how often that may be in a window."""

    what: str
    who: str
    most: int


def sign_in_tries(http: HttpRequest, login: str) -> list[Try]:
    """A sign-in, by the name or address that was typed (somebody's or nobody's) and by where it comes from.

    Both names of one account are counted apart: a limit that they shared would tell that they are one account.
    """
    env = settings.ENV
    return [
        Try("sign_in", _digest(login), env["KLATSCH_SIGN_IN_FAILURES"]),
        Try("sign_in_from", _digest(client_network(http)), env["KLATSCH_SIGN_IN_FAILURES_ADDRESS"]),
    ]


def own_password_tries(person_id: UUID, credential: str) -> list[Try]:
    """A check of who has signed in already, by their credential and by person: strangers' failures count for neither.

    A stolen credential is closed to guesses long before it closes its owner's others.
    """
    most = settings.ENV["KLATSCH_SIGN_IN_FAILURES"]
    return [
        Try("own_password", _digest(credential), most),
        Try("own_password_of", _digest(str(person_id)), _OWN_PASSWORD_CREDENTIALS * most),
    ]


def count_sign_in(tries: Sequence[Try]) -> None:
    """Raises RateLimited when there have been too many failures."""
    _count(tries, settings.ENV["KLATSCH_COOL_OFF_MINUTES"] * 60)


def take_back(tries: Sequence[Try]) -> None:
    """The tries were none: a success. The name or credential begins anew; the wider counts only have this one less."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_BACK, _parameters(tries))


def count_registration(http: HttpRequest) -> None:
    """Raises RateLimited when too many have come from there."""
    _count([Try("register", _digest(client_network(http)), settings.ENV["KLATSCH_REGISTRATIONS_PER_HOUR"])], _HOUR_S)


def count_reset(http: HttpRequest, email: str) -> None:
    """Raises RateLimited when too many were asked for this address, be it somebody's or nobody's, or from there."""
    most = settings.ENV["KLATSCH_RESETS_PER_HOUR"]
    _count(
        [Try("reset", _digest(address_key(email)), most), Try("reset_from", _digest(client_network(http)), 10 * most)],
        _HOUR_S,
    )


def client_network(http: HttpRequest) -> str:
    """Where a request comes from: the socket's peer, or what our own proxies (KLATSCH_TRUSTED_PROXIES) say of it."""
    return network_of(http.META.get("REMOTE_ADDR", ""), http.META.get("HTTP_X_FORWARDED_FOR", ""))


def network_of(address: str, forwarded: str) -> str:
    """Returns what `client_network` does, of a peer's address and the text of X-Forwarded-For."""
    proxies: int = settings.ENV["KLATSCH_TRUSTED_PROXIES"]
    hops = [hop.strip() for hop in forwarded.split(",")]
    if 0 < proxies <= len(hops):
        address = hops[-proxies]  # each of ours appends who it heard from; what stands before is the client's word
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return str(ipaddress.ip_network((ip, _IPV6_PREFIX), strict=False))
        ip = ip.ipv4_mapped  # as a socket for both families has them: their /64 would be all of IPv4
    return str(ip)


def _count(tries: Sequence[Try], window_s: int) -> None:
    parameters = {"window": window_s, **_parameters(tries)}
    with connection.cursor() as cursor:
        _check(cursor, parameters)
        with transaction.atomic():
            cursor.execute(_COUNT, parameters)
            counts = [count for (count,) in cursor.fetchall()]
            if len(counts) < len(tries):  # others were faster: what this statement has counted is undone
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
    return RateLimited("Too many tries. Come again later.", retry_after=max(1.0, left_s))


def _parameters(tries: Sequence[Try]) -> dict[str, Any]:
    return {
        "whats": [one.what for one in tries],
        "whos": [one.who for one in tries],
        "mosts": [one.most for one in tries],
    }


def _digest(who: str) -> str:
    return salted_hmac("klatsch.accounts.limits", who, algorithm="sha256").hexdigest()
