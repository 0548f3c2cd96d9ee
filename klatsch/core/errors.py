"""The one family of errors. `klatsch.api.errors` and `klatsch.gateway.language.protocol` each translate it once."""

from dataclasses import dataclass
from typing import ClassVar, Final


@dataclass(frozen=True, slots=True)
class FieldError:
    """A problem with one field of an input."""

    field: str
    code: str
    detail: str


class KlatschError(Exception):
    """An error that a client is answered. Each subclass is a row of the table of errors in the documents.

    `code` is stable and `status` is the HTTP status. `temporary` says whether trying again can help, and `means`
    explains the code to clients. `detail` is a sentence for people, and `retry_after` is in seconds. `changed` is the
    position of the edit that a refused edit had not seen.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    temporary: ClassVar[bool] = False
    means: ClassVar[str]

    def __init__(
        self,
        detail: str,
        *,
        fields: tuple[FieldError, ...] = (),
        retry_after: float | None = None,
        changed: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields
        self.retry_after = retry_after
        self.changed = changed


class BadRequest(KlatschError):
    code = "bad_request"
    status = 400
    means = "The request is malformed or makes no sense."


class UnknownOp(KlatschError):
    code = "unknown_op"
    status = 400
    means = "There is no such `op` (WebSocket only)."


class InvalidContent(KlatschError):
    code = "invalid_content"
    status = 400
    means = "The text is empty or not valid. Over REST also: the archive refused the message."


class TooLong(KlatschError):
    code = "too_long"
    status = 400
    means = "The text has more characters than `limits.text`."


class NotAuthenticated(KlatschError):
    code = "not_authenticated"
    status = 401
    means = "REST only; over a WebSocket it is the close code 4401."


class Forbidden(KlatschError):
    code = "forbidden"
    status = 403
    means = "You are not allowed to do this, you have blocked the other person, or their account is deactivated."


class NotAMember(KlatschError):
    code = "not_a_member"
    status = 403
    means = "You were removed from the conversation before the message arrived."


class Blocked(KlatschError):
    code = "blocked"
    status = 403
    means = "The other person of this direct conversation has blocked you."


class NotFound(KlatschError):
    code = "not_found"
    status = 404
    means = "There is no such resource, or you may not see it."


class Gone(KlatschError):
    code = "gone"
    status = 410
    means = "The message was deleted for good, or the invitation has ended."


class Conflict(KlatschError):
    """Raised when the present state contradicts the request."""

    code = "conflict"
    status = 409
    means = "The `client_id` names something else, the message was edited meanwhile, or the current state forbids it."


class LimitReached(KlatschError):
    """Raised when a person is at a cap. Waiting does not help; ending one of the capped things does."""

    code = "limit_reached"
    status = 409
    means = "You are at a limit. End or leave something first."


class RateLimited(KlatschError):
    code = "rate_limited"
    status = 429
    temporary = True
    means = "Too many requests, or too many without an answer yet."


class Unavailable(KlatschError):
    """Raised when nothing was appended, and a repeated request may succeed."""

    code = "unavailable"
    status = 503
    temporary = True
    means = "Nothing was appended. Try again."


class Unknown(KlatschError):
    """Raised when a record may have been appended. Retrying with the same `client_id` makes no second message."""

    code = "unknown"
    status = 503
    temporary = True
    means = "The message may or may not be in the log. Send it again with the same `client_id`."


class NotArchivedYet(KlatschError):
    code = "not_archived_yet"
    status = 503
    temporary = True
    means = "Nothing was appended: the archive is too far behind. Try again."


ERRORS: Final = tuple(KlatschError.__subclasses__())
"""Every subclass, in the order of this file."""
