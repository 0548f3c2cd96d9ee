"""The exceptions that a client raises. A `Refused` concerns one send or change, a `Stopped` the whole client."""

from klatsch_client.positions import Position


class ClientError(Exception):
    """The family of this library's errors."""


class Refused(ClientError):
    """Raised when a message, change or request was refused for good: another try would be refused too.

    `code` is the server's word for why: forbidden, blocked, not_found, …
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Gone(Refused):
    """Raised when the message to change was deleted, for good."""


class Conflict(Refused):
    """Raised when the `client_id` names another message or change, or another edit has come since an edit's `base`.

    `changed` is the position of that edit; None for a `client_id`.
    """

    def __init__(self, code: str, detail: str, changed: Position | None = None) -> None:
        super().__init__(code, detail)
        self.changed = changed


class Unavailable(ClientError):
    """Raised when REST cannot answer now, but may after `retry_after_s`. `is_answered`: a server said so."""

    def __init__(self, why: str, retry_after_s: float = 0, *, is_answered: bool = False) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s
        self.is_answered = is_answered


class Stopped(ClientError):
    """Raised when reconnecting cannot help until something is corrected. Unanswered messages stay in the state.

    `code` is the close code or HTTP status, where there is one.
    """

    def __init__(self, detail: str, code: int | None = None) -> None:
        super().__init__(detail if code is None else f"{code}: {detail}")
        self.code = code


class NotAuthenticated(Stopped):
    """Raised when the bearer token is not valid, or no longer."""


class Closed(ClientError):
    """Raised when the client was closed before there was an answer. The message stays in the state."""


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
    """Raised when the application takes no events, so that no more acknowledged messages can be remembered.

    Nothing was sent. Iterate over `events()` while you send.
    """
