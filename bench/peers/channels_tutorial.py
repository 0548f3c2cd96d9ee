"""The chat server of the Channels tutorial, as a peer: channels_redis groups, and an ORM insert for each message.

A's answer is its own message, which comes back to it from the room: the tutorial has no other. Nobody signs in.
"""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from bench.archive import read_number, wait_for
from bench.client import Door, Socket, open_door
from bench.own_data import own_database
from bench.peers.programs import HOST, Program
from bench.peers.redis import Redis
from bench.servers import read_postgres
from bench.systems import TEXT, NotInstalled, OpenPair

_ROOT: Final = Path(__file__).resolve().parents[2]
_PACKAGES: Final = ("channels", "channels_redis", "django", "uvicorn")
_BEFORE: Final = len(b'{"message": "')
_DIGITS: Final = 12


class TutorialDialect:
    """A message's number is the beginning of its text. Every connection to the room gets the same frame."""

    def __init__(self) -> None:
        self._rest = TEXT[_DIGITS:].encode()

    def send(self, a: Socket, number: int) -> None:
        a.send(b'{"message": "%012d%b"}' % (number, self._rest))

    def answer(self, payload: bytes) -> int:
        return int(payload[_BEFORE : _BEFORE + _DIGITS])

    def delivery(self, payload: bytes) -> int:
        return int(payload[_BEFORE : _BEFORE + _DIGITS])


class ChannelsTutorial:
    """uvicorn with one process, like one gateway; Redis; and a database of its own in the same PostgreSQL."""

    name = "tutorial"
    kinds: Sequence[str] = ("tutorial", "redis", "postgres")
    keeps = "archive"

    def __init__(self) -> None:
        try:
            self._versions = {name: version(name) for name in _PACKAGES}
        except PackageNotFoundError as missing:
            raise NotInstalled(f"{missing.name} is not installed: make bench-peers") from missing
        self._redis = Redis()
        self._server = Program("tutorial")
        self._open = ExitStack()
        self._url = ""

    def start(self) -> None:
        self._url = self._open.enter_context(own_database(f"bench_tutorial_{secrets.token_hex(4)}"))
        self._redis.start()
        self._open.callback(self._redis.stop)
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")])),
            "DJANGO_SETTINGS_MODULE": "bench.peers.tutorial.settings",
            "TUTORIAL_DATABASE_URL": self._url,
            "TUTORIAL_REDIS_URL": self._redis.url,
        }
        migrate = [sys.executable, "-m", "django", "migrate", "--run-syncdb", "--verbosity", "0"]
        subprocess.run(migrate, env=env, cwd=_ROOT, check=True)
        serve = [sys.executable, "-m", "uvicorn", "--host", HOST, "--port", str(self._server.port), "--no-access-log"]
        self._open.callback(self._server.end)
        self._server.start([*serve, "--log-level", "warning", "bench.peers.tutorial.asgi:application"], env, _ROOT)

    def stop(self) -> None:
        self._open.close()

    def settings(self) -> Mapping[str, str]:
        # Not imported: they read the environment of the server.
        return {
            **self._versions,
            **self._redis.settings(),
            **read_postgres(self._url),
            "uvicorn.workers": "1",
            "channel_layer.capacity": "10000 (default 100)",
        }

    def processes(self) -> Mapping[int, str]:
        return {self._server.pid: "tutorial", self._redis.pid: "redis"}

    async def open_pairs(self, count: int) -> Sequence[OpenPair]:
        async def open_pair(number: int) -> OpenPair:
            door = Door(HOST, self._server.port, f"/ws/chat/pair{number}/", protocol="")
            a, b = await asyncio.gather(open_door(door), open_door(door))
            return OpenPair(a, b, TutorialDialect())

        return [await open_pair(number) for number in range(count)]

    def wait_archived(self, expected: int) -> None:
        wait_for(self._url, "SELECT coalesce(max(id), 0) FROM chat_message", (), expected)

    def count_archived(self) -> int | None:
        return read_number(self._url, "SELECT count(*) FROM chat_message")
