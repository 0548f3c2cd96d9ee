"""Answers of a gateway over HTTP that need none of Django's threads."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest

from klatsch.accounts.hashing import HashingSlots
from klatsch.core.http_limits import REQUESTS_A_THREAD
from klatsch.gateway.http.app import GatewayHttp, Together


def busy(*_: Any) -> Any:
    """Stands for the api, whose threads are all taken."""
    raise AssertionError("this was to be answered without a thread")


async def ready() -> dict[str, str]:
    return {"log": "does not answer"}


def served_by(wsgi: Any, fold: Callable[[], None] = busy) -> Any:
    """Returns the gateway's HTTP with one thread of each kind."""
    return GatewayHttp(
        wsgi=wsgi,
        threads=1,
        slots=HashingSlots(1, 2, 5),
        ready=ready,
        fold=fold,
        metrics_token="",
        sync=None,  # type: ignore[arg-type]  # not asked here
    )


async def ask(path: str, method: str = "GET") -> tuple[int, Any]:
    http = served_by(busy)
    sent: list[dict[str, Any]] = []

    async def send(part: dict[str, Any]) -> None:
        sent.append(part)

    await http({"type": "http", "path": path, "method": method, "headers": []}, busy, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def test_a_process_whose_threads_are_all_busy_is_alive() -> None:
    assert await ask("/livez") == (200, {"alive": True})


@pytest.mark.parametrize("method", ["POST", "HEAD", "DELETE"])
async def test_sync_can_only_be_read(method: str) -> None:
    status, body = await ask("/api/v1/sync", method)
    assert (status, body["code"]) == (405, "method_not_allowed")


async def test_a_process_that_is_not_ready_says_what_is_missing() -> None:
    assert await ask("/readyz") == (503, {"ready": False, "not_ready": {"log": "does not answer"}})


async def test_more_requests_at_once_than_a_process_can_answer_soon_are_refused_and_those_before_answered() -> None:
    release = threading.Event()

    def slow(_: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        release.wait()
        start("200 OK", [])
        return [b"done"]

    application = served_by(slow)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://k") as http:
        waiting = [asyncio.create_task(http.get("/api/v1/me")) for _ in range(REQUESTS_A_THREAD)]
        for _ in range(10):  # turns of the loop, until each has come to the application
            await asyncio.sleep(0)
        assert application._reading_threads.at_work == REQUESTS_A_THREAD
        refused = await http.get("/api/v1/me")
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.headers["Retry-After"] == "1"
        refused = await http.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
        assert refused.status_code == 503
        assert refused.headers["Content-Type"] == "text/html; charset=utf-8"
        assert refused.headers.get_list("Cache-Control") == ["no-store"]
        assert refused.headers["Retry-After"] == "1"
        assert "default-src 'none'" in refused.headers["Content-Security-Policy"]
        assert "Klatsch is not available right now" in refused.text
        refused = await http.get("/api/docs", headers={"Accept": "text/html"})
        assert refused.headers["Content-Type"] == "application/problem+json"
        release.set()
        assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}
        assert (await http.get("/api/v1/me")).status_code == 200


async def test_many_who_want_to_know_whether_it_is_ready_ask_once() -> None:
    asked: list[asyncio.Event] = []

    async def look() -> dict[str, str]:
        asked.append(asyncio.Event())
        await asked[-1].wait()
        return {"log": str(len(asked))}

    together = Together(look)
    first, *others = [asyncio.create_task(together.result()) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()  # a prober that has gone takes nothing from the others
    asked[0].set()
    assert await asyncio.gather(*others) == [{"log": "1"}] * 49
    later = asyncio.create_task(together.result())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asked[1].set()
    assert await later == {"log": "2"}


async def test_a_flood_of_requests_for_metrics_makes_their_text_ten_times_a_second_at_most() -> None:
    made_s: list[float] = []
    application = served_by(busy, fold=lambda: made_s.append(time.monotonic()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://k") as http:
        for asked in range(3):
            answers = await asyncio.gather(*(http.get("/metrics") for _ in range(20)))
            assert {answer.status_code for answer in answers} == {200}
            assert len(made_s) == asked + 1
    assert made_s[-1] - made_s[0] > 0.19


async def test_while_all_that_may_hash_are_busy_others_are_answered_and_one_place_is_refused_at_once() -> None:
    release = threading.Event()

    def api(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/api/v1/auth/login":
            release.wait()
        start("200 OK", [])
        return [b"done"]

    async with httpx.AsyncClient(transport=httpx.ASGITransport(served_by(api)), base_url="http://k") as http:
        waiting = [asyncio.create_task(http.post("/api/v1/auth/login")) for _ in range(50)]
        assert (await http.get("/api/v1/me")).status_code == 200
        refused, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert {answer.result().status_code for answer in refused} == {503}
        assert refused.pop().result().headers["Retry-After"] == "1"
        release.set()
        assert sorted(answer.status_code for answer in await asyncio.gather(*waiting)) == [200] * 2 + [503] * 48


async def test_while_all_threads_that_change_something_wait_for_the_log_others_read() -> None:
    release = threading.Event()

    def api(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            release.wait()
        start("200 OK", [])
        return [b"done"]

    async with httpx.AsyncClient(transport=httpx.ASGITransport(served_by(api)), base_url="http://k") as http:
        waiting = [asyncio.create_task(http.post("/api/v1/users/bob/messages")) for _ in range(5)]
        assert (await http.get("/api/v1/me")).status_code == 200
        assert not any(task.done() for task in waiting)
        release.set()
        assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}
