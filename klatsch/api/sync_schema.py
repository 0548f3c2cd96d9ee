"""Describes `GET /api/v1/sync` in the OpenAPI document: a route of the gateway (gateway/http/sync.py), not Django's."""

from typing import Any

from klatsch.core.problems import CONTENT_TYPE
from klatsch.records.kinds import KINDS

_PUSHES = ", ".join(f"`{kind.name}`" for kind in KINDS if kind.push is not None)
_DESCRIPTION = f"""\
The WebSocket's pushes and resume over plain HTTP. Resume tokens work here, on the WebSocket and as `Last-Event-ID`, so
a client may switch between them at any time.

With JSON, the request is a long poll. Without `since` it answers at once with a first token. With `since` it answers
as soon as there are later pushes, or empty after `wait` seconds. Pass the answer's `resume` as the next `since`.

With `Accept: text/event-stream`, the answer is a stream of server-sent events: `hello`, then one event for each push.
Marks have the token as their `id`, which a browser sends when it reconnects. `close` says why the stream ends.

The pushes are those of a WebSocket (`/api/async-docs`) without typing and presence: {_PUSHES}, `state` and `reset`.
"""
_TOKEN = {"type": "string", "example": "1.0123456789abcdef.0:12.1:7"}
_BODY = {
    "type": "object",
    "required": ["resumed", "pushes", "resume"],
    "properties": {
        "resumed": {
            "type": "boolean",
            "description": "Whether the token could be resumed.",
        },
        "pushes": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Pushes in order, at most about 1 MiB. The next poll brings the rest.",
        },
        "resume": {**_TOKEN, "description": "The token for the next request."},
    },
}
_NOTHING = {"resumed": True, "pushes": [], "resume": _TOKEN["example"]}
_STREAM = 'id: 1.0123456789abcdef.0:12.1:7\ndata: {"t":"mark","resume":"1.0123456789abcdef.0:12.1:7"}\n\n'


def add_sync(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:  # noqa: ARG001, FBT001 - drf-spectacular's signature
    """Adds the route to the document; a post-processing hook of drf-spectacular."""
    neighbour = result["paths"]["/api/v1/messages"]["get"]
    refusals = {
        status: answer for status, answer in neighbour["responses"].items() if CONTENT_TYPE in answer.get("content", {})
    }
    sending = result["paths"]["/api/v1/users/{username}/messages"]["post"]["responses"]
    result["components"]["schemas"]["Sync"] = _BODY
    result["paths"]["/api/v1/sync"] = {
        "get": {
            "operationId": "sync",
            "summary": "Receive pushes since a token",
            "description": _DESCRIPTION,
            "parameters": [
                _query("since", _TOKEN, "The token to resume from."),
                _query(
                    "wait",
                    {"type": "integer", "minimum": 0, "maximum": 60, "default": 30},
                    "The longest wait of a poll, in seconds.",
                ),
            ],
            "tags": ["sync"],
            "security": neighbour["security"],
            "responses": {
                "200": {
                    "description": "The pushes since the token.",
                    "content": {
                        "application/json": {
                            "schema": {"$ref": "#/components/schemas/Sync"},
                            "examples": {"Nothing": {"value": _NOTHING}},
                        },
                        "text/event-stream": {"schema": {"type": "string"}, "examples": {"Mark": {"value": _STREAM}}},
                    },
                },
                **refusals,
                "403": sending["403"] | {"description": "Pages of this origin may not use the session cookie."},
                "429": sending["429"],
            },
        }
    }
    return result


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"in": "query", "name": name, "schema": schema, "description": description}
