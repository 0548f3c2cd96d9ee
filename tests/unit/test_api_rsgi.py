"""Rsgi: the api's door. Requests are read whole, within bounds, before a thread is taken."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from klatsch.api import rsgi
from klatsch.api.requests import Handler
from klatsch.api.rsgi import CHANGING_EACH, Rsgi, environ_of
from klatsch.core import http_limits
from klatsch.core.http_limits import BODY_BYTES_MOST, REQUESTS_A_THREAD


class Headers(list[tuple[str, str]]):
    """Headers as granian has them: pairs, asked by name."""

    def items(self) -> list[tuple[str, str]]:
        return list(self)

    def get_all(self, name: str) -> list[str]:
        return [value for key, value in self if key == name]

    def __contains__(self, name: object) -> bool:
        return any(key == name for key, _ in self)


class Protocol:
    """The peer: its body in parts, of which the last may never come; and what it was answered."""

    def __init__(self, *parts: bytes, endless: bool = False) -> None:
        self.parts = list(parts)
        self.endless = endless
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""

    async def __aiter__(self) -> Any:
        while self.parts:
            yield self.parts.pop(0)
        if self.endless:
            await asyncio.Event().wait()

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.body = status, dict(headers), body


def scope_of(*headers: tuple[str, str], method: str = "POST", query: str = "a=1") -> Any:
    return SimpleNamespace(
        method=method,
        path="/käse",
        query_string=query,
        server="[::1]:8001",
        client="192.0.2.1:5",
        scheme="http",
        http_version="1.1",
        headers=Headers([("host", "k"), *headers]),
    )


def echo(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Answers with the environ, and the body."""
    start("201 Created", [("X-Length", environ["CONTENT_LENGTH"])])
    shown = {name: value for name, value in environ.items() if isinstance(value, str)}
    return [json.dumps(shown).encode(), b"\n", environ["wsgi.input"].read()]


async def ask(
    protocol: Protocol, *headers: tuple[str, str], application: Rsgi | None = None, method: str = "POST"
) -> Protocol:
    await (application or Rsgi(echo, 1)).__rsgi__(scope_of(*headers, method=method), protocol)
    return protocol


async def test_a_request_is_told_as_wsgi_tells_it() -> None:
    answer = await ask(Protocol(b"ab"), ("content-length", "2"), ("x-a", "1"), ("x-a", "2"), ("content-type", "t/p"))
    shown, _, body = answer.body.partition(b"\n")
    environ = json.loads(shown)
    assert (answer.status, answer.headers, body) == (201, {"x-length": "2"}, b"ab")
    assert (
        environ.items()
        >= {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/kÃ¤se",
            "QUERY_STRING": "a=1",
            "SERVER_NAME": "::1",
            "SERVER_PORT": "8001",
            "REMOTE_ADDR": "192.0.2.1",
            "HTTP_HOST": "k",
            "HTTP_X_A": "1,2",
            "CONTENT_TYPE": "t/p",
            "CONTENT_LENGTH": "2",
        }.items()
    )


@pytest.mark.parametrize("text", ["日", "é", "\x80ÿ", "\N{TEACUP WITHOUT HANDLE}", "a b"])
def test_a_query_in_raw_utf_8_is_read_like_its_percent_encoded_form(text: str) -> None:
    raw, encoded = (
        Handler.request_class(environ_of(scope_of(query=f"x={x}"), b"")) for x in (text, quote(text, safe=""))
    )
    assert raw.GET.dict() == encoded.GET.dict() == {"x": text}
    assert raw.get_full_path() == encoded.get_full_path()


async def test_names_with_underscores_are_dropped() -> None:
    pairs = (("x-forwarded-for", "real"), ("x_forwarded_for", "false"), ("x_forwarded_proto", "https"))
    environ = json.loads((await ask(Protocol(), *pairs)).body)
    assert environ["HTTP_X_FORWARDED_FOR"] == "real"
    assert "HTTP_X_FORWARDED_PROTO" not in environ


async def test_a_body_in_chunks_is_read_and_its_length_is_said() -> None:
    half = b"a" * (BODY_BYTES_MOST // 2)
    answer = await ask(Protocol(half, half), ("transfer-encoding", "chunked"))
    assert (answer.status, answer.headers["x-length"]) == (201, str(BODY_BYTES_MOST))
    assert b"TRANSFER_ENCODING" not in answer.body
    answer = await ask(Protocol(half, half, b"a", endless=True), ("transfer-encoding", "chunked"))
    assert (answer.status, json.loads(answer.body)["code"]) == (413, "too_large")


async def test_a_body_that_is_said_to_be_too_long_is_413_before_any_of_it_is_read() -> None:
    answer = await ask(Protocol(b"a", endless=True), ("content-length", str(BODY_BYTES_MOST + 1)))
    assert (answer.status, answer.parts, answer.headers["cache-control"]) == (413, [b"a"], "no-store")


async def test_a_request_whose_body_is_cut_off_is_not_carried_out() -> None:
    answer = await ask(Protocol(b'{"content": "hi"}'), ("content-length", "18"))
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "bad_request")


async def test_a_browser_is_refused_with_a_page() -> None:
    too_long = ("content-length", str(BODY_BYTES_MOST + 1))
    refused = await ask(Protocol(), too_long, ("accept", "text/html,*/*;q=0.8"))
    assert refused.status == 413
    assert refused.headers["content-type"] == "text/html; charset=utf-8"
    assert b"The body is too large." in refused.body


async def test_a_body_that_does_not_come_in_time_is_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rsgi, "BODY_S", 0.05)
    answer = await ask(Protocol(b"a", endless=True), ("content-length", "2"))
    assert (answer.status, json.loads(answer.body)["code"]) == (408, "request_timeout")


async def test_more_bodies_at_once_than_fit_are_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_limits, "BODIES_BYTES_MOST", 10)
    monkeypatch.setattr(http_limits, "SMALL_BODY_BYTES", 5)
    application = Rsgi(echo, 1)
    held = asyncio.create_task(ask(Protocol(b"123456", endless=True), ("content-length", "7"), application=application))
    await asyncio.sleep(0)
    answer = await ask(Protocol(b"123456"), ("content-length", "6"), application=application)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)
    assert (await ask(Protocol(b"123456"), ("content-length", "6"), application=application)).status == 201


async def test_more_requests_at_once_than_can_be_answered_soon_are_503() -> None:
    release = threading.Event()

    def slow(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        release.wait(10)
        return echo(environ, start)

    application = Rsgi(slow, 1)
    waiting = [asyncio.create_task(ask(Protocol(), application=application)) for _ in range(REQUESTS_A_THREAD)]
    await asyncio.sleep(0)
    assert (await ask(Protocol(), application=application)).status == 503
    release.set()
    assert {answer.status for answer in await asyncio.gather(*waiting)} == {201}


async def test_an_answer_is_ended_even_where_making_it_fails() -> None:
    ended = []

    class Parts:
        def __iter__(self) -> Any:
            raise ZeroDivisionError

        def close(self) -> None:
            ended.append(True)

    application = Rsgi(lambda _, start: start("200 OK", []) or Parts(), 1)
    with pytest.raises(ZeroDivisionError):
        await ask(Protocol(), application=application)
    assert ended == [True]


async def test_more_requests_wait_for_the_log_at_once_than_read() -> None:
    together = threading.Barrier(CHANGING_EACH)

    def api(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        together.wait(10)
        return echo(environ, start)

    application = Rsgi(api, 1)
    answers = await asyncio.gather(*[ask(Protocol(), application=application) for _ in range(CHANGING_EACH)])
    assert {answer.status for answer in answers} == {201}


async def test_while_all_threads_that_change_something_wait_for_the_log_others_read() -> None:
    release = threading.Event()

    def api(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            release.wait(10)
        return echo(environ, start)

    application = Rsgi(api, 1)
    waiting = [asyncio.create_task(ask(Protocol(), application=application)) for _ in range(5)]
    assert (await ask(Protocol(), application=application, method="GET")).status == 201
    assert not any(task.done() for task in waiting)
    release.set()
    assert {answer.status for answer in await asyncio.gather(*waiting)} == {201}
