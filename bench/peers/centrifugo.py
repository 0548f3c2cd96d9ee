"""Centrifugo as a peer: it keeps the last messages of a channel in Redis or in memory, and archives nothing.

A publishes to the pair's channel, and B subscribes to it. Nobody signs in.
"""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

from bench.client import Door, Socket, open_door
from bench.peers.asking import ask
from bench.peers.programs import HOST, Program, find_program, version_of
from bench.peers.redis import Redis
from bench.systems import TEXT, OpenPair

_HOW: Final = "go install github.com/centrifugal/centrifugo/v6@latest (its folder in PATH), or `make bench-peers`"
_HISTORY: Final = 1_000
_FIRST_ID: Final = 10
"""The command with which A sends its first message; those before are for setting up."""


class LineSocket(Socket):
    """A connection whose frames hold a message in each line."""

    def take_text(self, payload: bytes) -> None:
        for line in payload.split(b"\n"):
            if line:
                self.on_text(line)


class CentrifugoDialect:
    """Centrifugo's JSON protocol. Replies are told by the number of their command."""

    def __init__(self, channel: str) -> None:
        self._channel = channel.encode()
        self._text = TEXT.encode()

    def send(self, a: Socket, number: int) -> None:
        a.send(
            b'{"id":%d,"publish":{"channel":"%b","data":{"n":%d,"text":"%b"}}}'
            % (number + _FIRST_ID, self._channel, number, self._text)
        )

    def answer(self, payload: bytes) -> int:
        if not payload.startswith(b'{"id":'):
            return 0
        end = payload.index(b",", 6)
        number = int(payload[6:end]) - _FIRST_ID
        return number if payload.startswith(b',"publish"', end) else -number

    def delivery(self, payload: bytes) -> int:
        at = payload.find(b'"data":{"n":')
        return int(payload[at + 12 : payload.index(b",", at)]) if at > 0 else 0


class Centrifugo:
    """One Centrifugo process, with Redis or without."""

    def __init__(self, engine: str) -> None:
        self._path = find_program("centrifugo", _HOW)
        self._engine = engine
        self._redis = Redis() if engine == "redis" else None
        self._server = Program("centrifugo")
        self._open = ExitStack()
        self.name = f"centrifugo-{engine}"
        self.kinds: Sequence[str] = ("centrifugo", "redis")
        self.keeps = f"the last {_HISTORY:,} messages of a channel in {engine}, for a time"

    def start(self) -> None:
        self._open.callback(self._server.end)
        engine: dict[str, Any] = {"type": self._engine}
        if self._redis is not None:
            self._redis.start()
            self._open.callback(self._redis.stop)
            engine["redis"] = {"address": self._redis.url}
        file = self._server.folder / "config.json"
        file.write_text(json.dumps(self._config(engine)), encoding="utf-8")
        self._server.start([self._path, "--config", str(file)], {})

    def _config(self, engine: dict[str, Any]) -> dict[str, Any]:
        return {
            "http_server": {"address": HOST, "port": str(self._server.port)},
            "client": {"insecure": True, "allowed_origins": ["*"], "ping_interval": "1200s"},
            "channel": {"without_namespace": {"history_size": _HISTORY, "history_ttl": "300s"}},
            "engine": engine,
            "log": {"level": "error"},
        }

    def stop(self) -> None:
        self._open.close()

    def settings(self) -> Mapping[str, str]:
        redis = self._redis.settings() if self._redis is not None else {}
        return {
            "centrifugo": _version_of(self._path),
            "engine": self._engine,
            "history_size": str(_HISTORY),
            "history_ttl": "300s",
            "client.insecure": "true",
            **redis,
        }

    def processes(self) -> Mapping[int, str]:
        redis = {self._redis.pid: "redis"} if self._redis is not None else {}
        return {self._server.pid: "centrifugo", **redis}

    async def open_pairs(self, count: int) -> Sequence[OpenPair]:
        return [await self._open_pair(f"pair{number}") for number in range(count)]

    async def _open_pair(self, channel: str) -> OpenPair:
        door = Door(HOST, self._server.port, "/connection/websocket", protocol="")
        a, b = await asyncio.gather(open_door(door, LineSocket), open_door(door, LineSocket))
        for socket in (a, b):
            _check(await ask(socket, b'{"id":1,"connect":{}}', lambda came: came.startswith(b'{"id":1,')))
        asked = b'{"id":2,"subscribe":{"channel":"%b"}}' % channel.encode()
        _check(await ask(b, asked, lambda came: came.startswith(b'{"id":2,')))
        return OpenPair(a, b, CentrifugoDialect(channel))

    def wait_archived(self, expected: int) -> None:
        """Returns at once: nothing is archived."""

    def count_archived(self) -> int | None:
        return None


def _version_of(path: str) -> str:
    """Returns the version of the module that Go built, which Centrifugo itself calls v0.0.0; else what it says."""
    if shutil.which("go") is not None:
        said = subprocess.run(["go", "version", "-m", path], capture_output=True, text=True, check=False).stdout
        module = [words[2] for line in said.splitlines() if (words := line.split())[:1] == ["mod"]]
        if module:
            return module[0]
    return version_of([path, "version"])


def _check(answer: bytes) -> None:
    if b'"error"' in answer:
        raise SystemExit(f"centrifugo refused: {answer.decode()}")
