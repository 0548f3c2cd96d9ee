"""The door of a gateway's HTTP: the answers of Django's middleware also where Django is not asked, and whole bodies."""

import asyncio
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from klatsch.api.checks import Checks
from klatsch.core import http_limits
from klatsch.core.http_limits import BODY_BYTES_MOST
from klatsch.gateway.http.door import Door
from klatsch.gateway.http.sync import PATH

OURS_ALONE = {"x-request-id", "cache-control", "content-length", "content-type", "vary"}
OF_SECURITY = {"x-content-type-options", "referrer-policy", "cross-origin-opener-policy"}
APP = "https://app.example"


class Asked:
    """Keeps what the application behind the door got, and what was answered."""

    def __init__(self, *parts: bytes) -> None:
        self.scope: Any = None
        self.body = b""
        self.status = 0
        self.headers: dict[str, str] = {}
        self.text = b""
        self.parts = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        self.parts.append({"type": "http.request", "body": b"", "more_body": False})

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        event = await receive()
        assert not event["more_body"]
        self.body = event["body"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def receive(self) -> Any:
        return self.parts.pop(0)

    async def send(self, part: Any) -> None:
        if part["type"] == "http.response.start":
            self.status = part["status"]
            self.headers = {name.decode(): value.decode() for name, value in part["headers"]}
        else:
            self.text += part["body"]


def scope_of(path: str, method: str = "GET", scheme: str = "http", **headers: str) -> dict[str, Any]:
    names = {"host": "testserver"} | headers
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in names.items()]
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"wait=1",
        "root_path": "",
        "scheme": scheme,
        "headers": sent,
        "server": ("testserver", 443 if scheme == "https" else 80),
        "client": ("192.0.2.1", 1),
        "http_version": "1.1",
    }


async def ask(scope: dict[str, Any], *parts: bytes) -> Asked:
    asked = Asked(*parts)
    await Door(asked.application, Checks())(scope, asked.receive, asked.send)
    return asked


@pytest.mark.parametrize("path", [PATH, "/livez", "/readyz", "/metrics"])
@pytest.mark.parametrize("host", ["testserver", "evil.example", "10.0.0.7:8000", "a b", ""])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_what_django_would_refuse_or_lead_to_https_is_answered_as_django_does(
    settings: LazySettings, path: str, host: str, scheme: str
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 3_600
    settings.ENV = {**settings.ENV, "KLATSCH_CORS_ORIGINS": [APP]}
    asked = await ask(scope_of(path, scheme=scheme, host=host))
    django = await asyncio.to_thread(
        Client(raise_request_exception=False).get, PATH, {"wait": "1"}, secure=scheme == "https", headers={"host": host}
    )
    if path == PATH and django.status_code != 404:  # Django itself has no such page
        assert asked.scope is None
        assert asked.status == django.status_code in {301, 400}
        for name in (*OF_SECURITY, "location", "content-type"):
            assert asked.headers.get(name) == django.headers.get(name)
    else:
        assert (asked.status, asked.text) == (200, b"ok")
        assert asked.headers.keys() >= OF_SECURITY
        assert ("strict-transport-security" in asked.headers) == (scheme == "https")


@pytest.mark.parametrize("path", [PATH, "/livez"])
@pytest.mark.parametrize("parameter", ["a*=nope''x", "charset=hex"])
async def test_a_content_type_that_django_cannot_parse_is_no_obstacle(path: str, parameter: str) -> None:
    asked = await ask(scope_of(path, content_type=f"text/plain; {parameter}"))
    assert (asked.status, asked.text) == (200, b"ok")


async def test_answers_of_sync_have_the_headers_that_django_gives_to_its_own() -> None:
    asked = await ask(scope_of(PATH))
    django = await asyncio.to_thread(Client().get, "/api/v1/nothing")
    wanted = {name.lower(): value for name, value in django.headers.items() if name.lower() not in OURS_ALONE}
    assert wanted.items() <= asked.headers.items()
    assert asked.headers["content-type"] == "text/plain"


async def test_a_preflight_of_sync_is_answered_and_may_send_last_event_id(settings: LazySettings) -> None:
    settings.ENV = {**settings.ENV, "KLATSCH_CORS_ORIGINS": [APP]}
    asked = await ask(scope_of(PATH, "OPTIONS", origin=APP, access_control_request_method="GET"))
    assert (asked.status, asked.scope) == (204, None)
    assert asked.headers["access-control-allow-origin"] == APP
    assert "Last-Event-ID" in asked.headers["access-control-allow-headers"].split(", ")
    stranger = await ask(scope_of(PATH, "OPTIONS", origin="https://evil.example", access_control_request_method="GET"))
    assert "access-control-allow-origin" not in stranger.headers


async def test_options_of_sync_say_what_it_answers() -> None:
    asked = await ask(scope_of(PATH, "OPTIONS"))
    assert (asked.status, asked.headers["allow"], asked.text) == (204, "GET, OPTIONS", b"")


async def test_a_body_in_chunks_is_handed_on_whole_with_its_length() -> None:
    asked = await ask(scope_of("/api/v1/me", "PATCH", transfer_encoding="chunked"), b"ab", b"", b"cd")
    assert asked.body == b"abcd"
    headers = dict(asked.scope["headers"])
    assert headers[b"content-length"] == b"4"
    assert b"transfer-encoding" not in headers


async def test_a_body_beyond_its_bound_is_413_and_nobody_behind_the_door_sees_it() -> None:
    half = b"a" * (BODY_BYTES_MOST // 2)
    assert (await ask(scope_of("/any/page", "POST", transfer_encoding="chunked"), half, half)).status == 200
    asked = await ask(scope_of("/any/page", "POST", transfer_encoding="chunked"), half, half, b"a")
    assert (asked.status, asked.scope) == (413, None)
    assert asked.headers["connection"] == "close"


async def test_more_bodies_at_once_than_fit_are_503_and_room_is_made_as_they_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_limits, "BODIES_BYTES_MOST", 10)
    monkeypatch.setattr(http_limits, "SMALL_BODY_BYTES", 5)
    first, second, third = Asked(b"123456"), Asked(b"123456"), Asked(b"123456")
    release = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await release.wait()
        await first.application(scope, receive, send)

    door = Door(slow, Checks())
    scope = scope_of("/any/page", "POST", content_length="6")
    waiting = asyncio.create_task(door(scope, first.receive, first.send))
    await asyncio.sleep(0)
    await door(scope, second.receive, second.send)
    assert (second.status, second.headers["retry-after"]) == (503, "1")
    release.set()
    await waiting
    await door(scope, third.receive, third.send)
    assert (first.status, first.body) == (200, b"123456")


async def test_small_bodies_are_read_while_long_ones_that_come_slowly_take_all_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_limits, "BODIES_BYTES_MOST", 10)
    monkeypatch.setattr(http_limits, "SMALL_BODY_BYTES", 5)
    slow, small = Asked(b"1234567890"), Asked(b"12345")
    door = Door(small.application, Checks())
    has_come = asyncio.Event()

    async def receive_slowly() -> Any:
        if slow.parts[0]["body"]:
            return await slow.receive()
        has_come.set()
        return await asyncio.Event().wait()

    scope = scope_of("/any/page", "POST", content_length="20")
    holding = asyncio.create_task(door(scope, receive_slowly, slow.send))
    await has_come.wait()
    await door(scope_of("/any/page", "POST", content_length="5"), small.receive, small.send)
    assert (small.status, small.body, slow.status) == (200, b"12345", 0)
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)


async def test_a_peer_that_goes_before_its_body_has_come_is_answered_by_nobody() -> None:
    asked = Asked(b"12")
    asked.parts[1:] = [{"type": "http.disconnect"}]
    await Door(asked.application, Checks())(
        scope_of("/any/page", "POST", content_length="6"), asked.receive, asked.send
    )
    assert (asked.scope, asked.status) == (None, 0)


async def test_a_charset_that_is_none_is_no_fault_of_ours() -> None:
    assert (await ask(scope_of(PATH, content_type="text/plain; charset=hex"))).status == 200
