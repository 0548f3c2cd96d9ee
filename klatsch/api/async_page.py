"""Arranges the AsyncAPI document for its page: the order of its parts and their wording."""

import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.utils.safestring import SafeString
from markdown_it import MarkdownIt

Schema = dict[str, Any]
_RULES: Final = ("pattern", "minLength", "maxLength", "default")
_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False})


def markdown(text: str) -> SafeString:
    """Returns Markdown as HTML of whole paragraphs; HTML in the text is escaped."""
    return SafeString(_MARKDOWN.render(inspect.cleandoc(text)))  # many texts are docstrings


def markdown_line(text: str) -> SafeString:
    """Returns one line of Markdown as HTML, to stand within a paragraph or a cell."""
    return SafeString(_MARKDOWN.renderInline(text))


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field of a shape. `links` names the shapes that it consists of."""

    name: str
    kind: str
    links: tuple[str, ...]
    required: bool
    note: SafeString


@dataclass(frozen=True, slots=True)
class MessageSection:
    """One message. `direction` says whether the client sends or receives it."""

    name: str
    title: str
    summary: SafeString
    direction: str
    coming: bool
    key: SafeString
    shape: str
    headers: str
    payload: str


def page_of(document: dict[str, Any]) -> dict[str, Any]:
    """Returns the document in the page's order and wording."""
    schemas = document["components"]["schemas"]
    return {
        "title": document["info"]["title"],
        "description": markdown(document["info"]["description"]),
        "channels": [_channel(document, name, channel) for name, channel in document["channels"].items()],
        "shapes": [
            {"name": name, "description": markdown(schema.get("description", "")), "fields": list(fields_of(schema))}
            for name, schema in schemas.items()
        ],
        "security": {
            name: markdown_line(scheme["description"])
            for name, scheme in document["components"]["securitySchemes"].items()
        },
    }


def _channel(document: dict[str, Any], name: str, channel: dict[str, Any]) -> dict[str, Any]:
    messages = document["components"]["messages"]
    return {
        "title": channel["title"],
        "address": channel["address"],
        "description": markdown(channel["description"]),
        "messages": [_section(messages[key], _direction(document, name, key)) for key in channel["messages"]],
        "close_codes": [_with_markdown(row) for row in channel.get("x-close-codes", ())],
        "error_codes": [_with_markdown(row) for row in channel.get("x-error-codes", ())],
    }


def _with_markdown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: markdown_line(value) if isinstance(value, str) else value for name, value in row.items()}


def _direction(document: dict[str, Any], channel: str, message: str) -> str:
    reference = {"$ref": f"#/channels/{channel}/messages/{message}"}
    operations = document["operations"]
    if any(reference in operation.get("reply", {}).get("messages", ()) for operation in operations.values()):
        return "answer"
    acted = {operation["action"] for operation in operations.values() if reference in operation["messages"]}
    if acted == {"receive"}:
        return "you send"
    return "record" if "kafka" in document["channels"][channel]["bindings"] else "push"


def _section(message: dict[str, Any], direction: str) -> MessageSection:
    [example] = message["examples"]
    key = message.get("bindings", {}).get("kafka", {}).get("key", {})
    return MessageSection(
        name=message["name"],
        title=message["title"],
        summary=markdown_line(message["summary"]),
        direction=direction,
        coming=message.get("x-coming", False),
        key=markdown_line(f"{key['description']} `{key['pattern']}`") if key else SafeString(),
        shape=_name_of(message["payload"]),
        headers=_pretty(example["headers"]) if "headers" in example else "",
        payload=_pretty(example["payload"]),
    )


def fields_of(schema: Schema) -> Iterator[FieldRow]:
    """Yields the fields of an object's schema, in its order."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        yield FieldRow(
            name=name,
            kind=kind_of(field),
            links=tuple(dict.fromkeys(_links(field))),
            required=name in required,
            note=markdown_line(" ".join(_notes(field))),
        )


def kind_of(schema: Schema) -> str:
    """Returns a short name of a schema: `string or null`, `array of Membership`, `"direct" or "group"`."""
    if "$ref" in schema:
        return _name_of(schema)
    if "anyOf" in schema:
        return " or ".join(kind_of(part) for part in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    if "items" in schema:
        return f"array of {kind_of(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {kind_of(schema['additionalProperties'])}"
    return str(schema.get("type", "anything"))


def _links(schema: Schema) -> Iterator[str]:
    if "$ref" in schema:
        yield _name_of(schema)
    for part in (*schema.get("anyOf", ()), schema.get("items"), schema.get("additionalProperties")):
        if isinstance(part, dict):
            yield from _links(part)


def _notes(schema: Schema) -> Iterator[str]:
    for part in (schema, *schema.get("anyOf", ())):
        if "description" in part:
            yield part["description"]
        yield from (f"{word}: `{_text(part[word])}`." for word in _RULES if word in part)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _name_of(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
