"""Bounds of what anybody may send to a gateway's port over HTTP, and bodies as they come."""

import contextlib
import json
import socket
from collections.abc import AsyncIterator

import httpx
import psutil

from klatsch.core.http_limits import HEAD_BYTES_MOST
from tests.e2e.talk import OpenRest
from tests.support.process import HOST, GatewayProcess
from tests.support.system import Person

FLOOD_BYTES = 64 * 1024 * 1024
GROWTH_MOST_BYTES = 16 * 1024 * 1024
"""The memory that 64 MiB of requests may cost: without a bound, about ten times what was sent."""


def say(gateway: GatewayProcess, request: bytes) -> bytes:
    """Returns all that is answered until the gateway closes."""
    with socket.create_connection((HOST, gateway.port), timeout=20) as peer:
        peer.sendall(request)
        answer = b""
        while part := peer.recv(65_536):
            answer += part
        return answer


def test_requests_without_end_take_no_memory_and_others_are_answered(gateway_a: GatewayProcess) -> None:
    process = psutil.Process(gateway_a.pid)
    before = process.memory_info().rss
    piece = b"GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1_000
    with socket.create_connection((HOST, gateway_a.port)) as peer:
        peer.setblocking(False)
        sent = 0
        while sent < FLOOD_BYTES:
            try:
                sent += peer.send(piece)
            except BlockingIOError:
                break  # the gateway reads no more: what it does not read, the kernel holds
        assert httpx.get(f"{gateway_a.url}/livez", trust_env=False).status_code == 200
        assert process.memory_info().rss - before < GROWTH_MOST_BYTES


def test_a_head_without_end_is_431(gateway_a: GatewayProcess) -> None:
    answer = say(gateway_a, b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 2 * HEAD_BYTES_MOST)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "head_too_large"


async def test_a_message_that_comes_in_chunks_is_sent(
    gateway_a: GatewayProcess, ana: Person, bob: Person, rest: OpenRest
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b'{"content": '
        yield b'"in chunks"}'

    sent = await rest(gateway_a, ana).http.post(
        f"users/{bob.username}/messages", content=parts(), headers={"Content-Type": "application/json; charset=hex"}
    )
    assert sent.status_code in {201, 202}
    assert sent.json()["content"] == "in chunks"


def test_sync_passes_the_checks_that_django_makes_of_its_own_pages(gateway_a: GatewayProcess) -> None:
    with contextlib.closing(httpx.Client(base_url=gateway_a.url, trust_env=False)) as http:
        unknown = http.get("/api/v1/sync")
        assert (unknown.status_code, unknown.headers["X-Content-Type-Options"]) == (401, "nosniff")
        assert http.options("/api/v1/sync").headers["Allow"] == "GET, OPTIONS"


def test_http_1_0_is_answered_without_chunks(gateway_a: GatewayProcess) -> None:
    for path in (b"/livez", b"/api/schema", b"/api/v1/sync"):
        head = say(gateway_a, b"GET %b HTTP/1.0\r\nHost: localhost\r\n\r\n" % path).partition(b"\r\n\r\n")[0]
        assert b"transfer-encoding" not in head.lower()
