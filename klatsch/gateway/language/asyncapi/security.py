"""The credentials of a WebSocket in the AsyncAPI document: one of three, looked for in this order."""

from typing import Any, Final

from klatsch.gateway.language import protocol

SCHEMES: Final[dict[str, dict[str, str]]] = {
    "ticket": {
        "type": "httpApiKey",
        "in": "header",
        "name": "Sec-WebSocket-Protocol",
        "description": f"`{protocol.SUBPROTOCOL}, {protocol.TICKET_PREFIX}<ticket>`, with a ticket from "
        "`POST /api/v1/auth/ticket`. It works once.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "A bearer token from `POST /api/v1/auth/tokens`."},
    "session": {
        "type": "httpApiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "The session cookie from `POST /api/v1/auth/login`, for pages whose exact origin is allowed.",
    },
}


def handshake() -> dict[str, Any]:
    """Returns the headers that every handshake needs."""
    offered = f"Offers `{protocol.SUBPROTOCOL}` and, with a ticket, `{protocol.TICKET_PREFIX}<ticket>`."
    return {
        "type": "object",
        "required": ["Sec-WebSocket-Protocol"],
        "properties": {"Sec-WebSocket-Protocol": {"type": "string", "description": offered}},
    }
