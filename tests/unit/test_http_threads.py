"""The threads of Django's requests, when an answer cannot be sent."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from klatsch.gateway.http.app import RequestThreads

SCOPE = {"type": "http", "http_version": "1.1", "method": "GET", "path": "/", "query_string": b"", "headers": []}


async def test_a_thread_whose_answer_cannot_be_sent_is_free_again_and_the_server_gets_the_failure_to_log() -> None:
    ended: list[int] = []

    def long_answer(_: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [])
        for _number in range(100):
            yield b"part"
        ended.append(1)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(part: dict[str, Any]) -> None:
        if part["type"] == "http.response.body":
            raise RuntimeError("the transport is closed")

    threads = RequestThreads(long_answer, 1)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="the transport is closed"):
            await threads(SCOPE, receive, send)
    assert ended == [1, 1]
    assert threads.at_work == 0
