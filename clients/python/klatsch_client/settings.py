"""The settings of a client that its application may choose."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Settings:
    """A client's settings.

    `window`: at most so many sends are tried at once; None is what the server takes. 1 keeps their order across
    failures: each waits until the one before is final.
    `reload`: after a reset, load what was missed over REST at `api`; None is the WebSocket's address with `/api/v1` in
    place of `/ws`. `reload_older_most`: how many messages from before that are looked at for changes, in each
    conversation.
    `events_most`, `unfinished_most`: bounds of what waits for the application, and of what is being sent.
    `reconnect_first_s`, `reconnect_most_s`: the first pause before a new connection, and the longest; a pause is drawn
    from 0 to that.
    """

    window: int | None = None
    reload: bool = True
    api: str | None = None
    reload_older_most: int = 1_000
    events_most: int = 1_000
    unfinished_most: int = 1_000
    reconnect_first_s: float = 0.5
    reconnect_most_s: float = 20.0


def api_beside(url: str) -> str:
    """Returns the address of the REST interface beside a WebSocket's; raises ValueError for no such address."""
    address = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(address.scheme)
    if scheme is None or not address.hostname or address.port == 0:  # asking for a port that is none raises, too
        raise ValueError(f"no address of a WebSocket, such as ws://localhost:8000/ws: {url}")
    return address._replace(scheme=scheme, path=address.path.removesuffix("/ws") + "/api/v1", query="").geturl()


def check_token(token: str) -> None:
    """Raises ValueError for what no header can hold, such as a token with the end of the line it was read from."""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("no bearer token: it is one word of printable ASCII, without spaces or line ends")
