"""How often somebody may try: counted in PostgreSQL, so by all processes together (D16).

A try is counted before it is made, in one statement, so that many at once do not slip through; a success takes it back.
A window begins with its first try and ends in its time however many follow: nobody is locked out for ever. Who tried is
kept as a keyed digest: the table tells neither names nor addresses, and counts for people who do not exist alike.
"""

import ipaddress
from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from klatsch.accounts.addresses import address_key
from klatsch.core.errors import RateLimited

_HOUR_S: Final = 3_600
_OWN_PASSWORD_CREDENTIALS: Final = 5
"""How many of a person's credentials have to be closed to guesses before all are: each can make others."""
_IPV6_PREFIX: Final = 64
"""What one subscriber has of IPv6: a limit by single address would be none."""
_COUNT = """
    INSERT INTO accounts_attempts AS a (what, who, since, count)
    SELECT t.what, t.who, clock_timestamp(), 1 FROM unnest(%(whats)s::text[], %(whos)s::text[]) AS t (what, who)
    ON CONFLICT (what, who) DO UPDATE SET
        count = CASE WHEN a.since < clock_timestamp() - %(window)s * interval '1 s' THEN 1 ELSE a.count + 1 END,
        since = CASE WHEN a.since < clock_timestamp() - %(window)s * interval '1 s' THEN clock_timestamp()
                     ELSE a.since END
    RETURNING what, count, extract(epoch FROM since - clock_timestamp())::float8 + %(window)s"""
_FORGET = "DELETE FROM accounts_attempts WHERE since < clock_timestamp() - interval '1 day'"
_TAKE_BACK = """
    UPDATE accounts_attempts
    SET count = CASE WHEN what IN ('sign_in', 'own_password') THEN 0 ELSE greatest(count - 1, 0) END
    WHERE (what, who) IN (SELECT * FROM unnest(%(whats)s::text[], %(whos)s::text[]))"""


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
    address: str = http.META.get("REMOTE_ADDR", "")
    proxies: int = settings.ENV["KLATSCH_TRUSTED_PROXIES"]
    hops = [hop.strip() for hop in http.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
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
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"window": window_s, **_parameters(tries)})
        rows = {what: (count, left_s) for what, count, left_s in cursor.fetchall()}
        if any(count == 1 for count, _ in rows.values()):
            cursor.execute(_FORGET)
    waits_s = [rows[one.what][1] for one in tries if rows[one.what][0] > one.most]
    if waits_s:
        raise RateLimited("Too many tries. Come again later.", retry_after=max(1.0, *waits_s))


def _parameters(tries: Sequence[Try]) -> dict[str, list[str]]:
    return {"whats": [one.what for one in tries], "whos": [one.who for one in tries]}


def _digest(who: str) -> str:
    return salted_hmac("klatsch.accounts.limits", who, algorithm="sha256").hexdigest()
