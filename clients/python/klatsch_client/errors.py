"""What a client raises. A `Refused` concerns one send, a `Stopped` the whole client."""


class ClientError(Exception):
    """The family of this library's errors."""


class Refused(ClientError):
    """A message was refused for good: sent again, it would be refused again. `code` is the server's word for why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


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


class TooManyUnmarked(ClientError):
    """Nobody takes the events: what was acknowledged meanwhile can no longer be remembered. Nothing was sent.

    Iterate over the client beside sending.
    """
