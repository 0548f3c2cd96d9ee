"""A room: what one says, all get."""

from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer

_TEXT_MOST = 2_000


class Room(AsyncJsonWebsocketConsumer):
    async def connect(self) -> None:
        self.group = "room-" + self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        text = content.get("text") if isinstance(content, dict) else None
        if isinstance(text, str) and 0 < len(text) <= _TEXT_MOST:
            await self.channel_layer.group_send(self.group, {"type": "room.said", "text": text})

    async def room_said(self, event: dict[str, Any]) -> None:
        await self.send_json({"text": event["text"]})
