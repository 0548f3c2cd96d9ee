"""Outcomes of what was appended: the refusal of a void record, and the counts of REST's answers."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, Protocol, TypeVar

from klatsch.core.errors import (
    Blocked,
    Conflict,
    Forbidden,
    Gone,
    InvalidContent,
    KlatschError,
    NotAMember,
    Unavailable,
    Unknown,
)
from klatsch.core.metrics import ANSWERED, REFUSED
from klatsch.records.judge import Verdict

_AFTER_APPEND: dict[type[KlatschError], str] = {
    Conflict: "conflict",
    NotAMember: "rejected",
    Blocked: "rejected",
    InvalidContent: "rejected",
    Unknown: "unknown",
}


_REFUSALS: dict[Verdict, tuple[type[KlatschError], str]] = {
    Verdict.REMOVED: (NotAMember, "You were removed from this conversation before this arrived."),
    Verdict.BLOCKED: (Blocked, "This person has blocked you."),
    Verdict.GONE: (Gone, "This message was deleted."),
    Verdict.DEMOTED: (Forbidden, "You are no longer an owner or an admin of this group."),
    Verdict.CONFLICT: (Conflict, "The message was edited meanwhile."),
    Verdict.LATE: (Unavailable, "The change took too long to arrive and does not count. Try again."),
}


def name_in_use() -> Conflict:
    """Returns the answer to a second use of a `client_id`: messages and changes share their names."""
    return Conflict("This client_id has been used for something else.")


def refusal_of(void: Verdict, *, changed: str | None = None) -> KlatschError:
    """Returns the answer to the sender of a void record. `changed` is the position of the message's last edit."""
    refusal, detail = _REFUSALS[void]
    return Conflict(detail, changed=changed) if refusal is Conflict else refusal(detail)


class _Posted(Protocol):
    @property
    def archived(self) -> bool: ...


P = ParamSpec("P")
T = TypeVar("T", bound=_Posted)


@contextmanager
def refusals_counted() -> Iterator[None]:
    """Counts refusals within the block, where nothing has been appended yet."""
    try:
        yield
    except KlatschError as error:
        REFUSED.labels(error.code).inc()
        raise


def counted(post: Callable[P, T]) -> Callable[P, T]:
    """Wraps a sending function to count its answers. Invalid drafts must have been refused before."""

    @functools.wraps(post)
    def count(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            posted = post(*args, **kwargs)
        except KlatschError as error:
            outcome = _AFTER_APPEND.get(type(error))
            (REFUSED.labels(error.code) if outcome is None else ANSWERED[outcome]).inc()
            raise
        ANSWERED["ok" if posted.archived else "accepted"].inc()
        return posted

    return count
