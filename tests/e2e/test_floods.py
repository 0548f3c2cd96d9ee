"""One peer, whatever it sends, does not hold up the others; and what honest clients do is no flood."""

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from klatsch.core.ids import uuid7
from tests.e2e.client import Client
from tests.e2e.flooder import masked
from tests.e2e.talk import Open
from tests.support.process import ROOT, GatewayProcess, wait_until
from tests.support.system import Person

_log = logging.getLogger(__name__)
_SENDS = 100
_SLOW_S = 0.25
"""On a busy machine; a flood made it seconds."""
PING, PONG, FRAGMENT = b"\x89\x80\0\0\0\0", b"\x8a\x80\0\0\0\0", b"\x00\x80\0\0\0\0"
JUNK = masked(
    b'{"id":2,"op":"send","d":{"content":"hi","client_id":"a","to":"b","x":[%b]}}' % b",".join([b'{"a":1}'] * 7_800)
)


@contextmanager
def flooding(gateway: GatewayProcess, token: str, frames: bytes, folder: Path) -> Iterator[Path]:
    """Floods a gateway while the block runs. Yields the file with what the flooder has printed."""
    printed = folder / "flooder"
    first = b"\x01\x80\0\0\0\0" if frames is FRAGMENT else b""
    argv = [sys.executable, "-m", "tests.e2e.flooder", str(gateway.port), token, first.hex(), frames.hex()]
    with (
        printed.open("wb") as output,
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=output, cwd=ROOT) as process,
    ):
        wait_until(lambda: "floods" in printed.read_text(), "the flood begins", 30)
        yield printed
        assert process.poll() is None
        process.communicate()


async def slow_send_s(writer: Client, to: str) -> float:
    """Returns how long the second slowest of 100 sends took, one after the other."""
    took_s = []
    for number in range(_SENDS):
        started_s = time.monotonic()
        attempt = await writer.send(f"hi {number}", to=to)
        took_s.append(time.monotonic() - started_s)
        assert attempt.ok, attempt
    return sorted(took_s)[-2]


@pytest.mark.parametrize(
    ("credential", "frames"),
    [
        pytest.param("none", PING, id="pings of a stranger"),
        pytest.param("none", PONG, id="pongs of a stranger"),
        pytest.param("none", FRAGMENT, id="fragments of a stranger"),
        pytest.param("token", PING, id="pings"),
        pytest.param("token", FRAGMENT, id="fragments"),
        pytest.param("token", JUNK, id="sends full of junk"),
    ],
)
async def test_others_sends_are_as_fast_while_one_peer_floods(
    gateway_a: GatewayProcess,
    connect: Open,
    ana: Person,
    bob: Person,
    carol: Person,
    tmp_path: Path,
    credential: str,
    frames: bytes,
) -> None:
    writer = await connect(gateway_a, ana)
    await connect(gateway_a, bob)
    quiet_s = await slow_send_s(writer, bob.username)
    token = carol.token if credential == "token" else "-"
    with flooding(gateway_a, token, frames, tmp_path) as printed:
        flooded_s = await slow_send_s(writer, bob.username)
        if credential == "token" and frames is not JUNK:
            await asyncio.to_thread(wait_until, lambda: "4429" in printed.read_text(), "the flooder is told 4429")

    _log.info("a send took %.1f ms, beside a flood %.1f ms", 1_000 * quiet_s, 1_000 * flooded_s)
    assert flooded_s < max(_SLOW_S, 10 * quiet_s)


async def test_what_honest_clients_do_is_no_flood(
    gateway_a: GatewayProcess, connect: Open, ana: Person, bob: Person
) -> None:
    """64 pipelined sends of 4,000 characters, each 48,000 bytes as JSON; pings between them; a send in fragments."""
    writer, reader = await connect(gateway_a, ana), await connect(gateway_a, bob)
    attempts = []
    for _ in range(64):
        attempts.append(await writer.post("\N{TEAPOT}" * 4_000, to=bob.username))
        await writer.socket.ping()
    await writer.answered(attempts, deadline_s=60)
    await (await writer.socket.ping())

    async def fragments() -> AsyncIterator[str]:
        body = {"to": bob.username, "client_id": uuid7(time.time_ns() // 1_000_000), "content": "in pieces"}
        for character in json.dumps({"id": "pieces", "op": "send", "d": body}):
            yield character

    await writer.socket.send(fragments())
    assert "ok" in await writer.answer_to("pieces")
    await reader.received("in pieces")
    assert ([attempt.ok for attempt in attempts].count(None), writer.closed) == (0, None)
