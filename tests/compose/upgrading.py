"""People around an upgrade: with the client library of before, over REST, and with what only the new version knows."""

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path

import httpx

from klatsch.core.ids import uuid7
from klatsch_client import Client, Message, Refused, Settings, State
from tests.compose.stack import ROOT, Stack

_QUICK = Settings(reconnect_first_s=0.1, reconnect_most_s=1.0)
_LINE_BYTES = 2**24
_STOP_S = 200
_REST_EVERY_S = 0.05
_CHANGE_EVERY_S = 0.1
_AGAIN_S = 0.2
_PIN_EACH = 10
LIKED = "👍"


class OldTalk:
    """Runs two people with the library of the version before, in a process of their own."""

    def __init__(self, stack: Stack, library: Path) -> None:
        self.ana, self.bob = stack.people(2)
        self.acknowledged = 0
        self.said: list[str] = []
        self._url = stack.url
        self._library = library

    async def start(self) -> None:
        people = json.dumps([self.ana, self.bob])
        argv = [sys.executable, "-m", "tests.compose.old_talk", self._url, people]
        env = {**os.environ, "PYTHONPATH": str(self._library)}
        self._process = await asyncio.create_subprocess_exec(
            *argv, cwd=ROOT, env=env, stdin=PIPE, stdout=PIPE, limit=_LINE_BYTES
        )
        self._reading = asyncio.create_task(self._read())

    async def stop(self) -> None:
        """Ends the talk; fails where what was told is not what was acknowledged."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(_STOP_S):
            await self._reading
            assert await self._process.wait() == 0

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if isinstance(told, list):
                self.said = told
            else:
                self.acknowledged = told


class RestTalk:
    """Writes over REST, and repeats what was not answered under the same name."""

    def __init__(self, stack: Stack) -> None:
        self.ana, self.bob = stack.people(2)
        self.said: list[str] = []
        self.repeated = 0
        self._url = f"{stack.url}/api/v1/users/{self.bob['username']}/messages"

    async def run(self, stop: asyncio.Event) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            while not stop.is_set():
                text = f"over REST {len(self.said)}"
                await self._say(http, text)
                self.said.append(text)
                await asyncio.sleep(_REST_EVERY_S)

    async def _say(self, http: httpx.AsyncClient, text: str) -> None:
        headers = {
            "Authorization": f"Bearer {self.ana['token']}",
            "Idempotency-Key": uuid7(time.time_ns() // 1_000_000),
        }
        while True:
            try:
                answer = await http.post(self._url, headers=headers, json={"content": text})
            except httpx.TransportError:
                pass
            else:
                if answer.is_success:
                    return
                temporary = answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS
                assert temporary, answer.text
            self.repeated += 1
            await asyncio.sleep(_AGAIN_S)


class Changer:
    """A second device with the library of now: it edits, likes, pins and marks what its person writes elsewhere.

    An older gateway refuses changes; the device then connects anew, until it meets a new one. An edit that an older
    gateway refuses may have been tried on a new one before: `edited` has those that were acknowledged, by their texts
    from before, and `tried` all.
    """

    def __init__(self, stack: Stack, person: Mapping[str, str]) -> None:
        self.edited: dict[str, str] = {}
        self.tried: dict[str, str] = {}
        self.refused = 0
        self._url = stack.socket_url
        self._token = person["token"]
        self._latest: Message | None = None

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            async with Client(self._url, token=self._token, state=State(), settings=_QUICK) as client:
                await client.wait_connected()
                reading = asyncio.create_task(self._read(client))
                try:
                    await self._change(client, stop)
                except Refused as refusal:
                    if refusal.code != "unknown_op":
                        raise
                    self.refused += 1
                finally:
                    reading.cancel()
            await asyncio.sleep(_AGAIN_S)

    async def _read(self, client: Client) -> None:
        async for message in client.messages():
            self._latest = message

    async def _change(self, client: Client, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await asyncio.sleep(_CHANGE_EVERY_S)
            message = self._latest
            if message is None or message.content in self.tried:
                continue
            text = self.tried[message.content] = f"{message.content}, edited"
            await client.edit(message, text)
            self.edited[message.content] = text
            await client.react(message, LIKED)
            client.mark(message.conversation, read=message.position)
            if len(self.edited) % _PIN_EACH == 0:
                await client.pin(message)
                await client.pin(message, on=False)
