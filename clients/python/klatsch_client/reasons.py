"""The meaning of connection errors in words, and the decision whether trying again can help."""

import socket
import ssl
from http import HTTPStatus
from typing import Final

from websockets.exceptions import InvalidMessage, InvalidStatus, InvalidURI, NegotiationError

from klatsch_client.errors import NotAuthenticated, Stopped
from klatsch_client.frames import SUBPROTOCOL
from klatsch_client.status import Status

_LATER_STATUS: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_ADVICE: Final[dict[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "something before the server wants other credentials",
    HTTPStatus.FORBIDDEN: "the server, or something before it, does not let this client in",
    HTTPStatus.NOT_FOUND: "there is no WebSocket at this path: it is usually /ws",
}
_NO_UPGRADE: Final = (
    "no WebSocket was opened: check the path, and that what stands before the server passes upgrades on"
)
_MEANT: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...]] = (
    (socket.gaierror, "the host's address cannot be found"),
    (ssl.SSLCertVerificationError, "the server's certificate does not count"),
    (ssl.SSLError, "TLS failed: a port without TLS is ws://"),
    (ConnectionRefusedError, "nothing listens there"),
    (TimeoutError, "no answer in time"),
    ((InvalidMessage, EOFError, ConnectionResetError), "no answer in HTTP: a port with TLS is wss://"),
)
"""The first that fits counts."""
NOT_KLATSCH: Final = f"the server does not speak {SUBPROTOCOL}: this is no Klatsch, or one of another version"


def lost(error: Exception, url: str) -> Status:
    """Returns the status after a try whose failure may pass; raises Stopped where another try cannot help."""
    match error:
        case InvalidStatus():
            return _answered(error.response.status_code, error.response.headers.get("Location"), url)
        case NegotiationError():
            raise Stopped(f"{url}: {NOT_KLATSCH}") from error
        case InvalidURI():
            raise Stopped(f"no address of a WebSocket: {error}") from error
        case _:
            return Status("lost", f"{url}: {_in_words(error)}")


def _answered(status: int, location: str | None, url: str) -> Status:
    if status in _LATER_STATUS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Status("lost", f"{url}: HTTP {status}", status)
    if location is not None and status in range(300, 400):
        raise Stopped(f"{url} leads to {location}: use that address; a redirect is not followed with the token", status)
    advice = _ADVICE.get(status, _NO_UPGRADE)
    raise (NotAuthenticated if status == HTTPStatus.UNAUTHORIZED else Stopped)(f"{url}: {advice}", status)


def _in_words(error: Exception) -> str:
    said = f"{type(error).__name__}: {error}"
    meant = next((words for kinds, words in _MEANT if isinstance(error, kinds)), None)
    return said if meant is None else f"{meant} ({said})"
