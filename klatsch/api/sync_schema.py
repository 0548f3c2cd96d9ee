"""`GET /api/v1/sync` in the OpenAPI document, by hand: a route of the gateway (gateway/http/sync.py), not Django's."""

from typing import Any

from klatsch.core.problems import CONTENT_TYPE

_DESCRIPTION = """\
The WebSocket's pushes and resume, for plain HTTP. A token works here, on the WebSocket and as `Last-Event-ID` alike, so
a client may move between them at any time.

As JSON it is a long poll: without `since` it answers at once with a token to begin with; with it, as soon as there is
anything that came after that token, or after `wait` seconds with nothing. Ask again with the answer's `resume`.

With `Accept: text/event-stream` it is a stream of server-sent events: first `hello`, then one event for each push.
Marks have an `id`, the token, which a browser repeats of itself when it comes back. `close` says why the server ends.

The pushes are those of `docs/asyncapi.yaml`: `message`, `message_changed`, `members`, `state`, `reset`.
"""
_TOKEN = {"type": "string", "example": "1.0123456789abcdef.0:12.1:7"}
_BODY = {
    "type": "object",
    "required": ["resumed", "pushes", "resume"],
    "properties": {
        "resumed": {
            "type": "boolean",
            "description": "Whether the token could be used.",
        },
        "pushes": {
            "type": "array",
            "items": {"type": "object"},
            "description": "In their order; some 1 MiB at most, and the next poll brings the rest.",
        },
        "resume": {**_TOKEN, "description": "The token that counts from here on."},
    },
}
_NOTHING = {"resumed": True, "pushes": [], "resume": _TOKEN["example"]}
_STREAM = 'id: 1.0123456789abcdef.0:12.1:7\ndata: {"t":"mark","resume":"1.0123456789abcdef.0:12.1:7"}\n\n'


def add_sync(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:  # noqa: ARG001, FBT001 - drf-spectacular's signature
    """A post-processing hook of drf-spectacular's."""
    neighbour = result["paths"]["/api/v1/messages"]["get"]
    refusals = {
        status: answer for status, answer in neighbour["responses"].items() if CONTENT_TYPE in answer.get("content", {})
    }
    result["components"]["schemas"]["Sync"] = _BODY
    result["paths"]["/api/v1/sync"] = {
        "get": {
            "operationId": "sync",
            "summary": "What came since a token, and what comes",
            "description": _DESCRIPTION,
            "parameters": [
                _query("since", {**_TOKEN, "maxLength": 16_384}, "The token to go on from."),
                _query("wait", {"type": "integer", "minimum": 0, "maximum": 60, "default": 30}, "Seconds, of a poll."),
            ],
            "tags": ["sync"],
            "security": neighbour["security"],
            "responses": {
                "200": {
                    "description": "What there is.",
                    "content": {
                        "application/json": {
                            "schema": {"$ref": "#/components/schemas/Sync"},
                            "examples": {"Nothing": {"value": _NOTHING}},
                        },
                        "text/event-stream": {"schema": {"type": "string"}, "examples": {"Mark": {"value": _STREAM}}},
                    },
                },
                **refusals,
                "429": result["paths"]["/api/v1/users/{username}/messages"]["post"]["responses"]["429"],
            },
        }
    }
    return result


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"in": "query", "name": name, "schema": schema, "description": description}
