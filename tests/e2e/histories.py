"""Compares what clients did and saw with the archive: the invariants I1 to I5 of reliability.md."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from tests.e2e.client import Attempt, Client
from tests.support.system import System


class Row(NamedTuple):
    """A message as the archive has it."""

    id: str
    client_id: str
    content: str
    position: str
    seq: int


class Told(NamedTuple):
    """The sends and pushes of one connection in a conversation, in order; `always` if it was open all the time."""

    attempts: list[Attempt]
    pushed: list[dict[str, Any]]
    always: bool = True


def order(position: str) -> tuple[int, int]:
    """Returns the key by which positions of one conversation compare: epoch, then offset."""
    epoch, _, offset = position.split(":")
    return int(epoch), int(offset)


def archived(system: System, conversation: str) -> list[Row]:
    """Returns the conversation in its order."""
    query = (
        "SELECT id::text, client_id, content, concat_ws(':', epoch, partition, \"offset\"), seq "
        'FROM messaging_message WHERE conversation_id = %s ORDER BY epoch, "offset"'
    )
    return [Row(*row) for row in system.rows(query, conversation)]


def check(system: System, conversation: str, *clients: Client, for_a_while: Sequence[Client] = ()) -> list[Row]:
    """Returns the archive's rows, once all is archived; fails with each way in which what clients saw contradicts them.

    The clients send into no other conversation. They were connected all the time, but for those `for_a_while`.
    """
    system.wait_archived()
    rows = archived(system, conversation)
    told = [_told(client, conversation, always=True) for client in clients]
    told += [_told(client, conversation, always=False) for client in for_a_while]
    found = list(contradictions(rows, told))
    assert not found, "\n".join(found)
    assert any(attempt.ok for one in told for attempt in one.attempts), "nothing was acknowledged"
    return rows


def _told(client: Client, conversation: str, *, always: bool) -> Told:
    pushed = [message for message in client.history.messages if message["conversation"] == conversation]
    return Told(client.history.attempts, pushed, always)


def contradictions(rows: Sequence[Row], told: Sequence[Told]) -> Iterator[str]:
    """Returns each contradiction as a sentence; none where the invariants hold."""
    yield from _in_archive(rows)
    yield from _in_real_time([attempt for one in told for attempt in one.attempts if attempt.ok])
    for one in told:
        yield from _in_answers(rows, one.attempts)
        yield from _in_pushes(rows, one.pushed)
        known = {message["id"] for message in one.pushed} | {a.message_id for a in one.attempts if a.ok}
        yield from (f"never told of: {row}" for row in rows if one.always and row.id not in known)


def _in_archive(rows: Sequence[Row]) -> Iterator[str]:
    """Checks I2 and I3: an id and a position stand once, and numbers are dense."""
    for name in ("id", "client_id", "position"):
        values = [getattr(row, name) for row in rows]
        if len(set(values)) < len(values):
            yield f"a {name} is archived twice"
    if [row.seq for row in rows] != list(range(1, len(rows) + 1)):
        yield f"the numbers are not dense: {[row.seq for row in rows]}"


def _in_answers(rows: Sequence[Row], attempts: Sequence[Attempt]) -> Iterator[str]:
    """Checks I1 and I3: what was acknowledged is there, where it was said to be."""
    by_id = {row.id: row for row in rows}
    for attempt in attempts:
        if attempt.ok is None:
            continue
        row = by_id.get(attempt.message_id)
        if row is None:
            yield f"acknowledged and not archived: {attempt}"
        elif (row.position, row.client_id, row.content) != (attempt.position, attempt.client_id, attempt.content):
            yield f"acknowledged as something else: {attempt}, archived: {row}"


def _in_pushes(rows: Sequence[Row], pushed: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Checks I3, I4 and I5: what was shown is there, in the archive's order, and was shown once."""
    by_id = {row.id: row for row in rows}
    for message in pushed:
        row = by_id.get(message["id"])
        if row is None:
            yield f"shown and not archived: {message}"
        elif (message["position"], message["content"]) != (row.position, row.content):
            yield f"shown as something else: {message}, archived: {row}"
    for earlier, later in pairwise(pushed):
        if order(earlier["position"]) >= order(later["position"]):
            yield f"shown twice or out of order: {earlier['position']} then {later['position']}"


def _in_real_time(attempts: Sequence[Attempt]) -> Iterator[str]:
    """Checks I4: what was acknowledged before another send began stands before it."""
    answered = iter(sorted(attempts, key=lambda attempt: attempt.answered_s))
    earlier, last = next(answered, None), None
    for later in sorted(attempts, key=lambda attempt: attempt.invoked_s):
        while earlier is not None and earlier.answered_s < later.invoked_s:
            if last is None or order(earlier.position) > order(last.position):
                last = earlier
            earlier = next(answered, None)
        is_new = later.ok is not None and not later.ok["duplicate"]
        if is_new and last is not None and order(last.position) >= order(later.position):
            yield f"acknowledged before, and stands after: {last}, {later}"
