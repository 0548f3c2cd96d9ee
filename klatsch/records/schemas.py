"""The JSON Schemas of the records, so that any Kafka tool can read the chat."""

from typing import Any

import msgspec

from klatsch.records.members import MembersChanged
from klatsch.records.messages import MessageChanged, MessagePosted
from klatsch.records.people import UserChanged

RECORDS: dict[str, type[msgspec.Struct]] = {
    "message.v1": MessagePosted,
    "message_changed.v1": MessageChanged,
    "members.v1": MembersChanged,
    "user.v1": UserChanged,
}


def record_schemas() -> dict[str, dict[str, Any]]:
    """By name and version, JSON Schema 2020-12."""
    return {name: _schema(name, record) for name, record in RECORDS.items()}


def _schema(name: str, record: type[msgspec.Struct]) -> dict[str, Any]:
    (reference,), components = msgspec.json.schema_components([record], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:klatsch:{name}",
        **reference,
        "$defs": components,
    }
