"""The archive's knowledge that decides about the changes in a batch: of their messages, and of their own ids (D18).

No I/O: `past_reading` reads it from PostgreSQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from klatsch.eventlog.log import Record
from klatsch.records.header import judged_id, judged_target
from klatsch.records.kind import Judging, Kinds
from klatsch.records.kinds import KINDS
from klatsch.records.verdicts import Target


@dataclass(slots=True)
class Past:
    """The messages that a batch changes, as they are before it, and the own ids that the archive has already.

    `wanted` are the messages' ids. `targets` has those that exist, and `keys` the keys of their conversations.
    """

    wanted: frozenset[bytes] = frozenset()
    targets: dict[bytes, Target] = field(default_factory=dict)
    keys: dict[bytes, bytes] = field(default_factory=dict)
    ids: set[bytes] = field(default_factory=set)

    def find(self, change: Record) -> Target | None:
        """Returns the message that a change names, if there is one in the same conversation."""
        target_id = judged_target(change.judge)
        return self.targets.get(target_id) if self.keys.get(target_id) == change.key else None

    def add(self, message: Record) -> None:
        """Adds a new message of the batch, if the batch changes it too."""
        message_id = judged_id(message.judge)
        if message_id in self.wanted and message_id not in self.targets:
            self.targets[message_id] = Target()
            self.keys[message_id] = message.key


def changes_in(records: Sequence[Record], kinds: Kinds = KINDS) -> list[Record]:
    """Returns the records that change a message, by their headers alone."""
    return [r for r in records if (kind := kinds.find(r)) is not None and kind.judging is Judging.CHANGE]
