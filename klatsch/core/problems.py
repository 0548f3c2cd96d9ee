"""The one shape of a refusal over HTTP: `application/problem+json` (RFC 9457)."""

import math
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any, Final

from klatsch.core.errors import FieldError, KlatschError

CONTENT_TYPE: Final = "application/problem+json"
CHALLENGE: Final = 'Bearer realm="klatsch"'
ERRORS_MOST: Final = 20
"""The most fields that one answer names: a client corrects them and asks again."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as REST answers it (RFC 9457). `retry_after` is in seconds."""

    status: int
    code: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    retry_after: float | None = None
    changed: str | None = None

    @classmethod
    def of(cls, error: KlatschError) -> "Problem":
        return cls(error.status, error.code, error.detail, error.fields, error.retry_after, error.changed)

    def body(self) -> dict[str, Any]:
        """Returns the members of RFC 9457, with `code`, `errors` and, where they help, `retry_after` and `changed`."""
        body = {
            "type": f"/problems/{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "errors": [asdict(error) for error in self.errors[:ERRORS_MOST]],
        }
        extra = {"retry_after": self.retry_after, "changed": self.changed}
        return body | {name: value for name, value in extra.items() if value is not None}

    def headers(self) -> dict[str, str]:
        """Returns the headers of its answer, which no cache may keep: the next try may succeed."""
        headers = {"Cache-Control": "no-store"}
        if self.retry_after is not None:
            headers["Retry-After"] = str(math.ceil(self.retry_after))
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = CHALLENGE
        return headers
