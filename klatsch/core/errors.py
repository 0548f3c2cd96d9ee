"""The one family of errors; `klatsch.api.errors` and `klatsch.gateway.language.protocol` translate it, once each."""

from dataclasses import dataclass
from typing import ClassVar, Final


@dataclass(frozen=True, slots=True)
class FieldError:
    """A problem with one field of an input."""

    field: str
    code: str
    detail: str


class KlatschError(Exception):
    """An answer that is not `ok`. Each kind is a row of the table of errors, which documents are generated from.

    `code` is stable, `status` is the HTTP status, `temporary` says whether trying again can help, and `means` is what a
    client is told of the code. `detail` is a sentence for people, and `retry_after` is in seconds.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    temporary: ClassVar[bool] = False
    means: ClassVar[str]

    def __init__(self, detail: str, *, fields: tuple[FieldError, ...] = (), retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields
        self.retry_after = retry_after


class BadRequest(KlatschError):
    code = "bad_request"
    status = 400
    means = "Malformed, or without sense."


class UnknownOp(KlatschError):
    code = "unknown_op"
    status = 400
    means = "There is no such `op` (WebSocket only)."


class InvalidContent(KlatschError):
    code = "invalid_content"
    status = 400
    means = "No text, or not text; over REST also: the archive refused it."


class TooLong(KlatschError):
    code = "too_long"
    status = 400
    means = "More characters than `limits.text`."


class NotAuthenticated(KlatschError):
    code = "not_authenticated"
    status = 401
    means = "REST only; over a WebSocket it is the close code 4401."


class Forbidden(KlatschError):
    code = "forbidden"
    status = 403
    means = "It is not allowed, or the other person is no longer active."


class NotAMember(KlatschError):
    code = "not_a_member"
    status = 403
    means = "You were removed before the record came: it does not count."


class Blocked(KlatschError):
    code = "blocked"
    status = 403
    means = "Reserved."


class NotFound(KlatschError):
    code = "not_found"
    status = 404
    means = "There is no such thing, or not for you."


class Conflict(KlatschError):
    code = "conflict"
    status = 409
    means = "The `client_id` names another message, or what is asked contradicts what is there."


class LimitReached(KlatschError):
    """A person has as many of something as they may; waiting does not help, ending one of them does."""

    code = "limit_reached"
    status = 409
    means = "You have as many of these as you may: end one first."


class RateLimited(KlatschError):
    code = "rate_limited"
    status = 429
    temporary = True
    means = "Too fast, or too many without an answer."


class Unavailable(KlatschError):
    """Nothing was appended; the same request may succeed later."""

    code = "unavailable"
    status = 503
    temporary = True
    means = "Nothing was appended."


class Unknown(KlatschError):
    """It may or may not have been appended: retry with the same `client_id`, which can give no second message."""

    code = "unknown"
    status = 503
    temporary = True
    means = "It may be in the log or not: send it again with the same `client_id`."


class NotArchivedYet(KlatschError):
    code = "not_archived_yet"
    status = 503
    temporary = True
    means = "Nothing was appended: the archive is too far behind to say."


ERRORS: Final = tuple(KlatschError.__subclasses__())
"""Every kind, in the order of this file."""
