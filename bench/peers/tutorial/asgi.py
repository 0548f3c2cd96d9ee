"""The tutorial's ASGI application, without sign-in and without the check of origins: neither is measured."""

from typing import Any

import django
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import re_path

django.setup()

from bench.peers.tutorial.chat.consumers import ChatConsumer  # noqa: E402 - Django first, as the tutorial has it

_chat: Any = ChatConsumer.as_asgi()
_path: Any = re_path(r"ws/chat/(?P<room_name>\w+)/$", _chat)
application: Any = ProtocolTypeRouter({"websocket": URLRouter([_path])})
