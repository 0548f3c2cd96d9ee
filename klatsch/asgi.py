"""The gateway's ASGI application: WebSocket through Channels, and HTTP on the same port."""

from typing import Any, Final

from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path, re_path

from klatsch.gateway.http.answers import Asgi

_NOTHING_HERE: Final = b"The WebSocket is at /ws."


def build_application(connection: Any, http: Asgi) -> Any:
    """Builds the application for `manage.py gateway`: a `ChatConnection` needs `klatsch.gateway.socket` below it."""
    elsewhere: Any = answer_not_found
    routes: list[Any] = [path("ws", connection), re_path("", elsewhere)]
    sockets = URLRouter(routes)
    return ProtocolTypeRouter({"http": http, "websocket": sockets})


async def answer_not_found(_scope: Any, receive: Any, send: Any) -> None:
    """Answers a WebSocket handshake at any other path with 404, and returns when the connection has ended."""
    await receive()  # websocket.connect
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "websocket.http.response.start", "status": 404, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": _NOTHING_HERE})
    await receive()  # uvicorn's own disconnect, which comes at once
    await receive()  # the transport's: returning earlier would log an error in uvicorn
