"""The terms in which a kind of record is described, and the table that finds a record's kind (D21)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from operator import attrgetter
from typing import Any, Final, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from klatsch.eventlog.log import Record
from klatsch.records.header import (
    CHECK,
    DIGEST,
    TARGET,
)
from klatsch.records.keys import CONVERSATION_KEY_LENGTH, KeyForm
from klatsch.records.values import DEFERRED, RepeatedUuid, Time, are_uuids, encode


class Judging(Enum):
    """Rules by which feeds and the persister decide, in the log's order, whether a record is in force."""

    ONCE = auto()
    """Void when its actor was removed before. The first record of an id counts, and its sender is answered."""
    CHANGE = auto()
    """Like ONCE, and judged by `records.verdicts` with earlier changes of the same message."""
    IN_FORCE = auto()
    """Void when its actor was removed before."""
    MARKER = auto()
    """Void when its actor was removed before. Of a person's markers in a conversation, the highest positions count."""
    STANDINGS = auto()
    """Changes a conversation's members. A person's highest version counts."""
    CREDENTIALS = auto()
    """Ends a person's credentials. PostgreSQL knew before the log did."""
    PERSONAL = auto()
    """Concerns one person, the only one who gets it. PostgreSQL knew before the log did."""


class Storing(Enum):
    """Rules by which the persister stores a record in force."""

    MESSAGE = auto()
    """Stores a new message, with the next number of its conversation."""
    CHANGE = auto()
    """Folds an edit, a deletion, a reaction or a pin into its message."""
    MARKER = auto()
    """Moves the person's marker in the conversation."""
    STANDINGS = auto()
    """Stores a row for each membership in the record."""
    NOTHING = auto()


@dataclass(frozen=True, slots=True)
class Fold:
    """Overwrites `columns` of the message that the record names by its `id`, unless a later record did.

    Columns are those of the archive's messages, named like the record's fields, with their PostgreSQL types.
    """

    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Header:
    """The `judge` header that a kind needs: its first byte, and what its parts must equal in the record's value."""

    byte: int
    parts: Mapping[str, tuple[slice, Callable[[Any], bytes]]]
    has_check: bool = False
    length: int = field(init=False)
    """In bytes: 49, 65 with a target, or 82 with a target and a check."""

    def __post_init__(self) -> None:
        has_target = any(part is TARGET for part, _ in self.parts.values())
        last = CHECK if self.has_check else TARGET if has_target else DIGEST
        object.__setattr__(self, "length", last.stop)


@dataclass(frozen=True, slots=True)
class Push:
    """The shape of a record's push: its value verbatim, `places` (fields that hold its position) and `constants`.

    `constants` are fields with one value for all records of the kind: by name, type and value. `about` is the
    description. `shapes` are the types of fields that may have other values in a push than in its record.
    """

    about: str
    places: Sequence[str] = ()
    constants: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    shapes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class RecordKind:
    """A kind of record. `title` and `example` are for documents; a kind without `push` is not pushed to sockets."""

    struct: type[msgspec.Struct]
    title: str
    example: msgspec.Struct
    key: KeyForm
    judging: Judging
    storing: Storing | Fold
    header: Header | None = None
    example_header: bytes = b""
    push: Push | None = None
    times: tuple[str, ...] = field(init=False, repr=False)
    """Its fields of this type."""
    deferred: tuple["_Check", ...] = field(init=False, repr=False)
    """The checks of its fields of deferred types."""
    _frame: bytes = field(init=False, repr=False)
    _places: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", _fields_of(self.struct, Time))
        object.__setattr__(self, "deferred", tuple(_checks_of(self.struct)))
        object.__setattr__(self, "_frame", _frame_of(self.name, self.push) if self.push else b"")
        object.__setattr__(self, "_places", _places_of(self.push) if self.push else 0)

    @property
    def name(self) -> str:
        """Returns the `t` of its records and pushes."""
        return str(self.struct.__struct_config__.tag)

    def frame(self, place: str, value: bytes) -> bytes:
        """Returns the text of the push for the record at that place, which all sockets get alike."""
        at = place.encode()
        return self._frame % (*(at,) * self._places, value[1:-1])

    def tombstone(self, place: str, event: msgspec.Struct) -> bytes:
        """Returns the text of the push for a message's decoded record, without what a deletion removes."""
        assert self.push is not None
        kept = {name: value for name, value in _TOMBSTONE.items() if name in self.struct.__struct_fields__}
        constants = {name: (shape, _TOMBSTONE.get(name, value)) for name, (shape, value) in self.push.constants.items()}
        frame = _frame_of(self.name, replace(self.push, constants=constants))
        return frame % (*(place.encode(),) * self._places, encode(msgspec.structs.replace(event, **kept))[1:-1])


_TOMBSTONE: Final[Mapping[str, Any]] = {"content": "", "mentions": [], "mention_ids": [], "deleted": True}
"""The fields of a deleted message that differ from those of the message before."""


class _Check(NamedTuple):
    """A check of some fields of a decoded record: `read` returns the value that `is_fit` takes, or None."""

    names: tuple[str, ...]
    read: Callable[[Any], Any]
    is_fit: Callable[[Any], object]


def _checks_of(struct: type[msgspec.Struct]) -> Iterator[_Check]:
    for kind, is_fit in DEFERRED.items():
        for name in _fields_of(struct, kind):
            yield _Check((name,), attrgetter(name), is_fit)
    if repeated := _fields_of(struct, RepeatedUuid):
        yield _Check(repeated, attrgetter(*repeated), are_uuids)


def _fields_of(struct: type[msgspec.Struct], kind: Any) -> tuple[str, ...]:
    """Returns the fields of that type, alone, with None or with constraints."""
    hints = get_type_hints(struct, include_extras=True)
    return tuple(name for name, hint in hints.items() if hint == kind or kind in _alternatives(hint))


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return () if get_origin(hint) in (list, dict) else get_args(hint)


def _frame_of(name: str, push: Push) -> bytes:
    head = f'{{"t":"{name}","pos":"%b","d":{{'.encode()
    places = b"".join(f'"{field}":"%b",'.encode() for field in push.places)
    ends = msgspec.json.encode({name: value for name, (_, value) in push.constants.items()})[1:].replace(b"%", b"%%")
    return head + places + b"%b" + (b"," if push.constants else b"") + ends + b"}"


def _places_of(push: Push) -> int:
    """Returns how often a record's place appears in its frame."""
    return 1 + len(push.places)


class Kinds:
    """A table of kinds. Finds a kind by an undecoded record's key and header, or by a decoded record."""

    def __init__(self, *kinds: RecordKind) -> None:
        self._kinds = kinds
        headed = [(kind.header, kind) for kind in kinds if kind.header is not None]
        self._by_header = {(header.length, header.byte.to_bytes(1, "big")): kind for header, kind in headed}
        self._by_prefix = [(kind.key.prefix, kind) for kind in kinds if kind.header is None]
        self._by_struct = {kind.struct: kind for kind in kinds}
        self._decode = msgspec.json.Decoder(_union([kind.struct for kind in kinds])).decode

    def __iter__(self) -> Iterator[RecordKind]:
        return iter(self._kinds)

    def find(self, record: Record) -> RecordKind | None:
        """Returns the kind of a record by its key and header alone; None for a record that is not Klatsch's."""
        key = record.key
        if len(key) == CONVERSATION_KEY_LENGTH:
            return self._by_header.get((len(record.judge), record.judge[:1]))
        for prefix, kind in self._by_prefix:
            if key.startswith(prefix):
                return kind
        return None

    def of(self, event: msgspec.Struct) -> RecordKind:
        """Returns the kind of a decoded record."""
        return self._by_struct[type(event)]

    def decode(self, value: bytes) -> Any:
        """Returns a value as the struct of its kind; raises MsgspecError, UnicodeDecodeError, RecursionError."""
        event = self._decode(value)
        for names, read, is_fit in self._by_struct[type(event)].deferred:
            found = read(event)
            if found is not None and not is_fit(found):
                raise msgspec.ValidationError(f"{' or '.join(names)} does not have the form that the schema requires")
        return event

    def is_known_key(self, key: bytes) -> bool:
        """Returns whether any kind has keys of this form."""
        return len(key) == CONVERSATION_KEY_LENGTH or any(key.startswith(prefix) for prefix, _ in self._by_prefix)


def _union(structs: Sequence[type[msgspec.Struct]]) -> Any:
    union: Any = structs[0]
    for struct in structs[1:]:
        union = union | struct
    return union
