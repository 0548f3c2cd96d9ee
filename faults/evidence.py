"""All that a run leaves to be judged: the clients' histories, the log, the archive, and who is who. In a folder of its
own it can be checked again by anybody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from faults.history import Event, read_history

_HISTORY = ".history.jsonl"


class LogRecord(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A record of the log. Of a message or an edit only what judging needs is kept: its text's hash."""

    partition: int
    offset: int
    key: str
    judge: str = ""
    client_id: str = ""
    hash: str = ""
    value: str = ""
    time_ms: int = 0
    mention_ids: list[str] = []


class Row(msgspec.Struct, frozen=True, gc=False):
    """An archived message."""

    id: str
    client_id: str
    conversation: str
    sender_id: str
    position: str
    seq: int
    hash: str
    changed: str = ""
    state: str = ""


class ChangeRow(msgspec.Struct, frozen=True, gc=False):
    """An archived change, by the own id of its record."""

    id: str
    position: str
    effective: bool


class MentionRow(msgspec.Struct, frozen=True, gc=False):
    """An archived mention of a person."""

    message_id: str
    user_id: str
    seq: int


class MarkerRow(msgspec.Struct, frozen=True, gc=False):
    """An archived marker. The offsets are -1 where nothing was received or read; `read_seq` is the last read number."""

    conversation: str
    user_id: str
    delivered: int
    read: int
    read_seq: int


class About(msgspec.Struct, frozen=True):
    """The log's epoch, and everybody's id by name.

    `without_postgres` are the times when PostgreSQL may not have answered, from and to, by the monotonic clock.
    `faults` are all faults: when each began, when it was healed, and the seconds in which it must be recovered from.
    """

    epoch: int
    people: dict[str, str]
    without_postgres: list[tuple[float, float]] = []
    faults: list[tuple[float, float, float]] = []

    def user_id_of(self, client: str) -> str:
        """Returns the id of a client's person."""
        return self.people[client.partition("#")[0]]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence. `histories` are by client: a username, `#` and a number, as a person may have several."""

    about: About
    log: Sequence[LogRecord]
    archive: Sequence[Row]
    histories: Mapping[str, Sequence[Event]] = field(default_factory=dict)
    changes: Sequence[ChangeRow] = field(default_factory=list)
    mentions: Sequence[MentionRow] = field(default_factory=list)
    markers: Sequence[MarkerRow] = field(default_factory=list)


_DUMPS: dict[str, type[msgspec.Struct]] = {
    "log": LogRecord,
    "archive": Row,
    "changes": ChangeRow,
    "mentions": MentionRow,
    "markers": MarkerRow,
}


def history_file(folder: Path, client: str) -> Path:
    return folder / f"{client}{_HISTORY}"


def save_dumps(folder: Path, evidence: Evidence) -> None:
    """Writes all but the histories, which the clients have written themselves."""
    (folder / "about.json").write_bytes(msgspec.json.encode(evidence.about))
    for name in _DUMPS:
        with (folder / f"{name}.jsonl").open("wb") as output:
            output.writelines(msgspec.json.encode(row) + b"\n" for row in getattr(evidence, name))


def load_evidence(folder: Path) -> Evidence:
    """Reads the evidence; raises FileNotFoundError where a dump is missing."""
    dumps = {name: _read(folder / f"{name}.jsonl", kind) for name, kind in _DUMPS.items()}
    return Evidence(
        about=msgspec.json.decode((folder / "about.json").read_bytes(), type=About),
        histories={
            file.name.removesuffix(_HISTORY): read_history(file) for file in sorted(folder.glob(f"*{_HISTORY}"))
        },
        **dumps,
    )


def _read(file: Path, kind: type[msgspec.Struct]) -> list[Any]:
    decoder = msgspec.json.Decoder(kind)
    return [decoder.decode(line) for line in file.read_bytes().splitlines()]
