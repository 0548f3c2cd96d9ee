"""The pushes of records, as structs that are generated from the table of kinds."""

from typing import Any

import msgspec

from klatsch.eventlog.places import PositionText
from klatsch.records.kind import RecordKind


def push_struct(kind: RecordKind) -> type[msgspec.Struct]:
    """Returns the frame that `kind.frame` writes: `pos`, and the record's fields in `d` with what the push adds."""
    assert kind.push is not None
    name = kind.name.title().replace("_", "")
    return msgspec.defstruct(
        f"{name}Push",
        [("pos", PositionText), ("d", _body_struct(kind, name))],
        frozen=True,
        tag_field="t",
        tag=kind.name,
        namespace={"__doc__": kind.push.about},
    )


def _body_struct(kind: RecordKind, name: str) -> type[msgspec.Struct]:
    push = kind.push
    assert push is not None
    fields: list[tuple[str, Any]] = [(place, PositionText) for place in push.places]
    fields += [(constant, shape) for constant, (shape, _) in push.constants.items()]
    fields += push.shapes.items()
    if not fields:
        return kind.struct
    return msgspec.defstruct(
        f"Pushed{name}",
        fields,
        bases=(kind.struct,),
        kw_only=True,
        frozen=True,
        tag_field="t",
        tag=kind.name,
        namespace={"__doc__": "The record's value, with its position and the constant fields of its kind."},
    )
