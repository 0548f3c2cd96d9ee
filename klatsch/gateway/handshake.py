"""Reads a WebSocket handshake: a credential and, for a cookie, the origin of its page (D13)."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlparse

from channels.security.websocket import OriginValidator

from klatsch.accounts.cookies import read_cookies
from klatsch.core.errors import Forbidden, NotAuthenticated
from klatsch.gateway.language import protocol

_BARE_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@\\]+\Z")
"""The form that browsers send (RFC 6454, 6.2). urlparse also accepts a path, a user name and white space."""


class NoSubprotocol(Exception):
    """Raised when the client does not offer `klatsch.v1`."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """One of the three kinds of credential. Its repr shows none of them.

    `own_page` says that no page of another site can have sent it, so that its origin need not be checked.
    """

    ticket: str | None
    bearer: str | None
    cookies: str | None
    origin: str | None
    own_page: bool = False

    def __repr__(self) -> str:
        return "Credentials()"


def read_handshake(scope: dict[str, Any]) -> Credentials:
    """Returns the credentials; raises NoSubprotocol. Ignores the URL's query, as credentials there end up in logs."""
    offered: list[str] = scope["subprotocols"]
    if protocol.SUBPROTOCOL not in offered:
        raise NoSubprotocol
    tickets = [p.removeprefix(protocol.TICKET_PREFIX) for p in offered if p.startswith(protocol.TICKET_PREFIX)]
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    scheme, _, token = headers.get(b"authorization", "").partition(" ")
    return Credentials(
        ticket=tickets[0] if tickets else None,
        bearer=token.strip() if scheme.lower() == "bearer" else None,
        cookies=headers.get(b"cookie"),
        origin=headers.get(b"origin"),
    )


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """The session cookie's name, and the origins whose pages may use it."""

    name: str
    origins: list[str]


def session_key(credentials: Credentials, session_cookie: SessionCookie) -> str:
    """Returns the session's key if the page at `origin` may use the cookie; raises Forbidden or NotAuthenticated.

    A browser sends the cookie for any page that opens a socket here, so the origin must be exactly an allowed one.
    """
    key = read_cookies(credentials.cookies or "").get(session_cookie.name)
    if key is None:
        raise NotAuthenticated("Sign in first: send a ticket, a bearer token or a session cookie.")
    if not credentials.own_page and not is_allowed(credentials.origin, session_cookie.origins):
        raise Forbidden("This page's origin may not use the session cookie here.")
    return key


async def _nothing(_scope: Any, _receive: Any, _send: Any) -> None:
    """Does nothing: the validator is only asked, and never calls its application."""


def is_allowed(origin: str | None, origins: list[str]) -> bool:
    """Returns whether the origin has scheme, host and port of one of `origins`, and nothing else."""
    if origin is not None and _BARE_ORIGIN.match(origin) is None:
        return False
    try:
        allowed: bool = OriginValidator(_nothing, origins).valid_origin(urlparse(origin) if origin else None)
    except ValueError:  # such as a port that is no number
        return False
    return allowed
