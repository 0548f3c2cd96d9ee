"""The site's ASGI application: pages over HTTP, rooms over WebSockets."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "multichat.settings")
pages = get_asgi_application()

from chat.consumers import Room  # noqa: E402 - Django is ready only now

application = ProtocolTypeRouter(
    {
        "http": pages,
        "websocket": AllowedHostsOriginValidator(URLRouter([path("ws/chat/<slug:room>/", Room.as_asgi())])),
    }
)
