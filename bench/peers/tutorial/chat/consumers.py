"""The tutorial's asynchronous consumer, with one line more: it stores the message before it tells the room."""

import json
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from bench.peers.tutorial.chat.models import Message


class ChatConsumer(AsyncWebsocketConsumer):
    """A connection to a room: whoever is in it gets each message, the sender too."""

    async def connect(self) -> None:
        self.room_name = self.scope["url_route"]["kwargs"]["room_name"]
        self.room_group_name = f"chat_{self.room_name}"
        await self.channel_layer.group_add(self.room_group_name, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:  # noqa: ARG002 - Channels' signature
        await self.channel_layer.group_discard(self.room_group_name, self.channel_name)

    async def receive(
        self,
        text_data: str | None = None,
        bytes_data: bytes | None = None,  # noqa: ARG002 - Channels' signature
    ) -> None:
        message = json.loads(text_data or "")["message"]
        await Message.objects.acreate(room=self.room_name, content=message)
        await self.channel_layer.group_send(self.room_group_name, {"type": "chat.message", "message": message})

    async def chat_message(self, event: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps({"message": event["message"]}))
