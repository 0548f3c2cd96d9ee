"""What a gateway answers over HTTP without Django's threads."""

import json
from typing import Any

from klatsch.gateway.http import GatewayHttp


def busy(*_: Any) -> Any:
    """The api, whose threads are all taken."""
    raise AssertionError("this was to be answered without a thread")


async def ready() -> dict[str, str]:
    return {"log": "does not answer"}


async def ask(path: str) -> tuple[int, Any]:
    http = GatewayHttp(busy, 1, ready, busy, "", sync=None)  # type: ignore[arg-type]  # not asked here
    sent: list[dict[str, Any]] = []

    async def send(part: dict[str, Any]) -> None:
        sent.append(part)

    await http({"type": "http", "path": path, "method": "GET", "headers": []}, busy, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def test_a_process_whose_threads_are_all_busy_is_alive() -> None:
    assert await ask("/livez") == (200, {"alive": True})


async def test_a_process_that_is_not_ready_says_what_is_missing() -> None:
    assert await ask("/readyz") == (503, {"ready": False, "not_ready": {"log": "does not answer"}})
