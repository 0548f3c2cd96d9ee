"""The one family of errors; `klatsch.api.errors` and `klatsch.gateway.language.protocol` translate it, once each."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of an input."""

    field: str
    code: str
    detail: str


class KlatschError(Exception):
    """An answer that is not `ok`: a stable `code`, a sentence for people, and whether trying again can help.

    `retry_after` is in seconds. `status` is the HTTP status; the codes are those of protocol.md.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    temporary: ClassVar[bool] = False

    def __init__(self, detail: str, *, fields: tuple[FieldError, ...] = (), retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields
        self.retry_after = retry_after


class BadRequest(KlatschError):
    code = "bad_request"
    status = 400


class UnknownOp(KlatschError):
    code = "unknown_op"
    status = 400


class InvalidContent(KlatschError):
    code = "invalid_content"
    status = 400


class TooLong(KlatschError):
    code = "too_long"
    status = 400


class NotAuthenticated(KlatschError):
    code = "not_authenticated"
    status = 401


class Forbidden(KlatschError):
    code = "forbidden"
    status = 403


class NotAMember(KlatschError):
    code = "not_a_member"
    status = 403


class Blocked(KlatschError):
    code = "blocked"
    status = 403


class NotFound(KlatschError):
    code = "not_found"
    status = 404


class Conflict(KlatschError):
    code = "conflict"
    status = 409


class LimitReached(KlatschError):
    """A person has as many of something as they may; waiting does not help, ending one of them does."""

    code = "limit_reached"
    status = 409


class RateLimited(KlatschError):
    code = "rate_limited"
    status = 429
    temporary = True


class Unavailable(KlatschError):
    """Nothing was appended; the same request may succeed later."""

    code = "unavailable"
    status = 503
    temporary = True


class Unknown(KlatschError):
    """It may or may not have been appended: retry with the same `client_id`, which can give no second message."""

    code = "unknown"
    status = 503
    temporary = True


class NotArchivedYet(KlatschError):
    code = "not_archived_yet"
    status = 503
    temporary = True
