"""Answers each task with the number of the process."""

import os
from typing import Any

from channels.consumer import AsyncConsumer
from channels.routing import ChannelNameRouter, ProtocolTypeRouter


class Tasks(AsyncConsumer):
    async def task(self, message: dict[str, Any]) -> None:
        answer = {"type": "answer", "number": message["number"], "worker": os.getpid()}
        await self.channel_layer.send(message["answer_to"], answer)


application = ProtocolTypeRouter({"channel": ChannelNameRouter({"tasks": Tasks.as_asgi()})})
