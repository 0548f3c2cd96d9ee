"""All that a run leaves to be judged: the clients' histories, the log, the archive, and who is who. In a folder of its
own it can be checked again by anybody.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

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


class About(msgspec.Struct, frozen=True):
    """The log's epoch, and everybody's id by name."""

    epoch: int
    people: dict[str, str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence. `histories` are by client: a username, `#` and a number, as a person may have several."""

    about: About
    log: Sequence[LogRecord]
    archive: Sequence[Row]
    histories: Mapping[str, Sequence[Event]] = field(default_factory=dict)
    changes: Sequence[ChangeRow] = field(default_factory=list)


T = TypeVar("T", LogRecord, Row, ChangeRow)


def history_file(folder: Path, client: str) -> Path:
    return folder / f"{client}{_HISTORY}"


def save_dumps(
    folder: Path, about: About, log: Iterable[LogRecord], archive: Iterable[Row], changes: Iterable[ChangeRow] = ()
) -> None:
    """Writes the dumps beside the histories, which the clients have written themselves."""
    (folder / "about.json").write_bytes(msgspec.json.encode(about))
    for name, rows in (("log", log), ("archive", archive), ("changes", changes)):
        with (folder / f"{name}.jsonl").open("wb") as output:
            output.writelines(msgspec.json.encode(row) + b"\n" for row in rows)


def load_evidence(folder: Path) -> Evidence:
    """Reads the evidence; raises FileNotFoundError where a dump is missing."""
    return Evidence(
        about=msgspec.json.decode((folder / "about.json").read_bytes(), type=About),
        log=_read(folder / "log.jsonl", LogRecord),
        archive=_read(folder / "archive.jsonl", Row),
        histories={
            file.name.removesuffix(_HISTORY): read_history(file) for file in sorted(folder.glob(f"*{_HISTORY}"))
        },
        changes=_read(folder / "changes.jsonl", ChangeRow),
    )


def _read(file: Path, kind: type[T]) -> list[T]:
    decoder = msgspec.json.Decoder(kind)
    return [decoder.decode(line) for line in file.read_bytes().splitlines()]
