"""The example chat runs in two processes, as a site that knows nothing of the layer but the setting."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import websockets
from waits import DEADLINE_S
from websockets.typing import Origin

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "multichat"
PROCESSES = 2


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def answers(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def ports(hosts: str, topic: str) -> Iterator[list[int]]:
    """Returns the ports of the processes, which serve."""
    found = [free_port() for _ in range(PROCESSES)]
    paths = os.pathsep.join([str(EXAMPLE), str(EXAMPLE.parents[1] / "channel_layer")])
    settings = {"PYTHONPATH": paths, "KAFKA_HOSTS": hosts, "KAFKA_TOPIC": topic}
    environment = os.environ | settings | {"DJANGO_SETTINGS_MODULE": "multichat.settings"}
    server = [sys.executable, "-m", "uvicorn", "multichat.asgi:application", "--log-level", "warning", "--port"]
    started = [subprocess.Popen([*server, str(port)], env=environment, cwd=EXAMPLE) for port in found]
    until_s = time.monotonic() + DEADLINE_S
    while not all(answers(port) for port in found):
        assert time.monotonic() < until_s
        time.sleep(0.02)
    yield found
    for process in started:
        process.terminate()
    for process in started:
        assert process.wait(DEADLINE_S) in {0, -15}


async def test_what_is_said_in_one_process_is_read_in_both_and_in_no_other_room(ports: list[int]) -> None:
    def connect(port: int, room: str) -> websockets.connect:
        origin = Origin(f"http://127.0.0.1:{port}")
        return websockets.connect(f"ws://127.0.0.1:{port}/ws/chat/{room}/", origin=origin)

    first, second = ports
    async with connect(first, "lobby") as one, connect(second, "lobby") as two, connect(second, "attic") as other:
        await one.send(json.dumps({"text": "Hello"}))
        await other.send(json.dumps({"text": "Nobody here"}))
        await two.send(json.dumps({"text": "Good day"}))
        for reader in (one, two):
            said = {json.loads(await reader.recv())["text"] for _ in range(2)}
            assert said == {"Hello", "Good day"}
        assert json.loads(await other.recv()) == {"text": "Nobody here"}


def test_the_example_is_an_ordinary_site() -> None:
    """Only its settings name the layer: there, changing `BACKEND` changes all."""
    naming = [file for file in EXAMPLE.rglob("*.py") if "kafka" in file.read_text().lower()]
    assert [file.name for file in naming] == ["settings.py"]
