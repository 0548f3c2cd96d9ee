"""The gateway's ASGI application: WebSocket through Channels, and HTTP beside it on the same port."""

from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path

from klatsch.gateway.connection import ChatConnection
from klatsch.gateway.http import GatewayHttp
from klatsch.gateway.service import Gateway


def build_application(gateway: Gateway, http: GatewayHttp) -> Any:
    """Serve it with `manage.py gateway`: its connections need `klatsch.gateway.socket` below them."""
    connection: Any = ChatConnection.as_asgi(gateway=gateway)
    routes: list[Any] = [path("ws", connection)]
    sockets = URLRouter(routes)
    return ProtocolTypeRouter({"http": http, "websocket": sockets})
