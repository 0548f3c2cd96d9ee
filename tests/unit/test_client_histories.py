"""Pages of histories over HTTP, from a server that answers as a test says."""

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from klatsch_client.errors import NotAuthenticated, Stopped, Unavailable
from klatsch_client.histories import Histories
from klatsch_client.reload import PageRequest
from klatsch_client.rest import Rest

_REQUEST = PageRequest("one", "limit=100&at_least=1%3A0%3A5")


class _Answering(http.server.BaseHTTPRequestHandler):
    status: ClassVar[int] = 200
    headers_said: ClassVar[dict[str, str]] = {}
    body: ClassVar[bytes] = b"{}"
    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["Authorization"]))
        self.send_response(self.status)
        for name, value in {"Content-Length": str(len(self.body)), **self.headers_said}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    _Answering.status, _Answering.headers_said, _Answering.body, _Answering.asked = 200, {}, b"{}", []
    with http.server.HTTPServer(("127.0.0.1", 0), _Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api/v1/"
        server.shutdown()
        thread.join()


def _load(api: str) -> Any:
    return asyncio.run(Histories(Rest(api, "secret")).load_page(_REQUEST))


def test_a_page_is_asked_for_with_the_token_and_read(api: str) -> None:
    page: dict[str, Any] = {"results": [], "next": None, "previous": None}
    _Answering.body = json.dumps(page).encode()
    assert _load(api) == page
    assert _Answering.asked == [("/api/v1/conversations/one/messages?limit=100&at_least=1%3A0%3A5", "Bearer secret")]


@pytest.mark.parametrize(("status", "code"), [(403, "forbidden"), (403, "not_a_member"), (404, "not_found")])
def test_a_history_that_is_not_for_this_person_is_none(api: str, status: int, code: str) -> None:
    _Answering.status, _Answering.body = status, json.dumps({"code": code}).encode()
    assert _load(api) is None


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b"\xff", b"[" * 60_000])
def test_a_404_that_is_none_of_klatschs_says_that_the_address_is_wrong_and_not_that_a_history_is_gone(
    api: str, body: bytes
) -> None:
    _Answering.status, _Answering.body = 404, body
    with pytest.raises(Stopped, match="check `api`") as stopped:
        _load(api)
    assert stopped.value.code == 404


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_pass_is_for_later_and_says_when(api: str, status: int) -> None:
    _Answering.status, _Answering.headers_said = status, {"Retry-After": "7"}
    with pytest.raises(Unavailable) as later:
        _load(api)
    assert later.value.retry_after_s == 7


def test_what_is_no_json_and_a_server_that_is_away_are_for_later(api: str) -> None:
    _Answering.body = b"<html>"
    with pytest.raises(Unavailable):
        _load(api)
    with pytest.raises(Unavailable):
        _load("http://127.0.0.1:1/api/v1")


def test_a_token_that_does_not_count_and_any_other_refusal_stop_the_client(api: str) -> None:
    _Answering.status = 401
    with pytest.raises(NotAuthenticated):
        _load(api)
    _Answering.status = 400
    with pytest.raises(Stopped):
        _load(api)


def test_a_redirect_is_not_followed_since_it_would_take_the_token_along(api: str) -> None:
    _Answering.status, _Answering.headers_said = 302, {"Location": api + "elsewhere"}
    with pytest.raises(Stopped):
        _load(api)
    assert len(_Answering.asked) == 1


def test_only_http_addresses_are_asked() -> None:
    with pytest.raises(ValueError, match="REST"):
        Rest("file:///etc", "secret")
