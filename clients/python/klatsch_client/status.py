"""The status of a client's connection, as its application is told. No I/O."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Status:
    """`connecting` at first, `open` once the server has answered `hello`, `lost` between two tries, `closed` for good.

    `reason` says in words why there is no connection, `code` the close code or HTTP status where there is one.
    """

    state: Literal["connecting", "open", "lost", "closed"]
    reason: str | None = None
    code: int | None = None
