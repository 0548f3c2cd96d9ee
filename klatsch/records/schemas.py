"""The JSON Schemas of the records, so that any Kafka tool can read them."""

from typing import Any

import msgspec

from klatsch.records.kinds import KINDS, Kinds, RecordKind


def record_schemas(kinds: Kinds = KINDS) -> dict[str, dict[str, Any]]:
    """Returns JSON Schema 2020-12 by name and version: `message.v1`."""
    return {f"{kind.name}.v{_version(kind)}": _schema(kind) for kind in kinds}


def _version(kind: RecordKind) -> int:
    [version] = [field.default for field in msgspec.structs.fields(kind.struct) if field.name == "v"]
    return int(version)


def _schema(kind: RecordKind) -> dict[str, Any]:
    (reference,), components = msgspec.json.schema_components([kind.struct], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:klatsch:{kind.name}.v{_version(kind)}",
        **reference,
        "$defs": components,
    }
