"""The JSON Schemas of the records and signals, so that any Kafka tool can read them."""

from typing import Any

import msgspec

from klatsch.records.kind import Kinds
from klatsch.records.kinds import KINDS
from klatsch.records.signals import SIGNALS


def record_schemas(kinds: Kinds = KINDS) -> dict[str, dict[str, Any]]:
    """Returns JSON Schema 2020-12 by name and version: `message.v1`."""
    structs = {kind.name: kind.struct for kind in kinds} | SIGNALS
    return {f"{name}.v{_version(struct)}": _schema(name, struct) for name, struct in structs.items()}


def _version(struct: type[msgspec.Struct]) -> int:
    [version] = [field.default for field in msgspec.structs.fields(struct) if field.name == "v"]
    return int(version)


def _schema(name: str, struct: type[msgspec.Struct]) -> dict[str, Any]:
    (reference,), components = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:klatsch:{name}.v{_version(struct)}",
        **reference,
        "$defs": components,
    }
