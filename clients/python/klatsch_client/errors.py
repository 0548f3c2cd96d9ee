"""The exceptions that a client raises. A `Refused` concerns one send or change, a `Stopped` the whole client."""

from klatsch_client.positions import Position


class ClientError(Exception):
    """The family of this library's errors."""


class Refused(ClientError):
    """A message, change or request was refused for good: tried again, it would be refused again.

    `code` is the server's word for why: forbidden, blocked, not_found, …
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Gone(Refused):
    """The message was deleted, for good. What one wanted to change is nobody's any more."""


class Conflict(Refused):
    """Something else stands there: under the `client_id`, or, for an edit with a `base`, another edit.

    `changed` is the position of that edit; None for a `client_id`.
    """

    def __init__(self, code: str, detail: str, changed: Position | None = None) -> None:
        super().__init__(code, detail)
        self.changed = changed


class Unavailable(ClientError):
    """A request over REST could not be answered; it may be after `retry_after_s`. `is_answered`: a server said so."""

    def __init__(self, why: str, retry_after_s: float = 0, *, is_answered: bool = False) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s
        self.is_answered = is_answered


class Stopped(ClientError):
    """The client may not go on before something is mended. `code` is the close code or HTTP status, where there is one.

    What was sent and not answered stays in the state.
    """

    def __init__(self, detail: str, code: int | None = None) -> None:
        super().__init__(detail if code is None else f"{code}: {detail}")
        self.code = code


class NotAuthenticated(Stopped):
    """The bearer token does not count, or not any more."""


class Closed(ClientError):
    """The client was closed before there was an answer. The message stays in the state."""


def refusal(code: str, detail: str, changed: Position | None = None) -> Refused:
    """Returns the error of a code."""
    match code:
        case "conflict":
            return Conflict(code, detail, changed)
        case "gone":
            return Gone(code, detail)
        case _:
            return Refused(code, detail)


class TooManyUnmarked(ClientError):
    """Nobody takes the events: what was acknowledged meanwhile can no longer be remembered. Nothing was sent.

    Iterate over the client beside sending.
    """
