"""Checks I2 and I3 of the archive: it has each message in force exactly once, like the log."""

from collections import Counter
from collections.abc import Iterator, Sequence

from faults.contradiction import Contradiction
from faults.evidence import ChangeRow, Row
from faults.history import place
from faults.truth import Truth


def changes_in_archive(rows: Sequence[ChangeRow], truth: Truth) -> Iterator[Contradiction]:
    """Checks I2 and I3 of changes: those that count are archived once, at their position, and nothing else is."""
    for row in rows:
        change = truth.changes.get(row.id)
        if change is None:
            yield Contradiction("I2", "mixed up", f"an archived change that does not count in the log: {row}")
        elif (truth.position(change), change.effective) != (row.position, row.effective):
            yield Contradiction("I3", "mixed up", f"archived as something else than {change}: {row}")
    for own_id in sorted(truth.changes.keys() - {row.id for row in rows}):
        yield Contradiction("I2", "lost", f"a change that counts, and is not archived: {truth.changes[own_id]}")


def in_archive(rows: Sequence[Row], truth: Truth) -> Iterator[Contradiction]:
    """Checks I2 and I3: messages in force are archived once and unchanged, nothing else is, and numbers are dense."""
    yield from _twice(rows)
    for row in rows:
        yield from _as_it_is(row, truth)
    for message_id in sorted(truth.messages.keys() - {row.id for row in rows}):
        yield Contradiction("I2", "lost", f"in force, and not archived: {truth.messages[message_id]}")
    yield from _numbered(rows)


def _twice(rows: Sequence[Row]) -> Iterator[Contradiction]:
    for message_id, count in Counter(row.id for row in rows).items():
        if count > 1:
            yield Contradiction("I2", "doubled", f"archived {count} times: {message_id}")
    for (conversation, position), count in Counter((row.conversation, row.position) for row in rows).items():
        if count > 1:
            yield Contradiction("I3", "doubled", f"{count} rows of {conversation} at the position {position}")


def _as_it_is(row: Row, truth: Truth) -> Iterator[Contradiction]:
    message = truth.messages.get(row.id)
    if message is None:
        yield Contradiction("I2", "mixed up", f"archived, and not in force in the log: {row}")
    elif truth.position(message) != row.position:
        yield Contradiction("I3", "mixed up", f"archived elsewhere than at {truth.position(message)}: {row}")
    elif row.state and (place(row.changed)[2], row.state) != _last(truth, row.id):
        yield Contradiction("I2", "mixed up", f"archived otherwise than {_last(truth, row.id)}: {row}")
    elif (truth.last_state(row.id)[1].hash, message.client_id, message.sender_id, message.conversation) != (
        row.hash,
        row.client_id,
        row.sender_id,
        row.conversation,
    ):
        yield Contradiction("I3", "mixed up", f"archived as something else than {message}: {row}")


def _last(truth: Truth, message_id: str) -> tuple[int, str]:
    offset, state = truth.last_state(message_id)
    return offset, state.text()


def _numbered(rows: Sequence[Row]) -> Iterator[Contradiction]:
    by_conversation: dict[str, list[Row]] = {}
    for row in rows:
        by_conversation.setdefault(row.conversation, []).append(row)
    for conversation, of_it in by_conversation.items():
        of_it.sort(key=lambda row: place(row.position))
        if [row.seq for row in of_it] != list(range(1, len(of_it) + 1)):
            yield Contradiction("I2", "mixed up", f"the numbers of {conversation} are not dense and in order")
