"""Pages of histories over HTTP, from a server that answers as a test says."""

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from klatsch_client.archive import Archive, Version
from klatsch_client.errors import Gone, NotAuthenticated, Stopped, Unavailable
from klatsch_client.events import Marker
from klatsch_client.histories import Histories
from klatsch_client.positions import Position
from klatsch_client.reload import PageRequest
from klatsch_client.rest import Rest
from klatsch_client.view import View

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
def api(no_proxy: None) -> Iterator[str]:
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


def _row(offset: int, **more: Any) -> dict[str, Any]:
    place = {"position": f"1:0:{offset}", "changed": f"1:0:{offset}"}
    texts = {"client_id": "c", "conversation": "one", "sender": "bob", "content": "hi", "sent_at": ""}
    return {"id": f"m{offset}", **texts, **place, **more}


def _answer(*rows: Any, following: str | None = None) -> None:
    _Answering.body = json.dumps({"results": rows, "next": following, "previous": None}).encode()


def test_the_archive_is_read_page_by_page_and_its_messages_come_into_the_view(api: str) -> None:
    view = View()
    archive = Archive(Rest(api, "secret"), view)
    _answer(
        _row(9, reactions={"👍": ["bob"]}, pinned_at="now"), following="https://proxy.test/elsewhere?cursor=x&limit=2"
    )
    page = asyncio.run(archive.history("one/two", limit=2, at_least=Position(1, 7, 0)))
    _answer(_row(8, deleted=True, content=""))
    last = asyncio.run(archive.history("one/two", after=page.next))
    assert ([message.id for message in page.rows + last.rows], last.next) == (["m9", "m8"], None)
    assert [message.id for message in view.messages("one")] == ["m8", "m9"]
    asyncio.run(archive.pins("one"))
    asyncio.run(archive.mentions())
    _answer(following="https://proxy.test/elsewhere?q=tea+%26+cake&cursor=y")
    found = asyncio.run(archive.search("tea & cake", limit=2))
    asyncio.run(archive.search("tea & cake", after=found.next))
    assert [path.removeprefix("/api/v1/") for path, _ in _Answering.asked] == [
        "conversations/one%2Ftwo/messages?limit=2&at_least=1%3A0%3A7",
        "conversations/one%2Ftwo/messages?cursor=x&limit=2",
        "conversations/one/pins?limit=100",
        "mentions?limit=100",
        "search?q=tea+%26+cake&limit=2",
        "search?q=tea+%26+cake&cursor=y",
    ]


def test_versions_markers_and_what_is_unread_are_typed(api: str) -> None:
    archive = Archive(Rest(api, "secret"), None)
    _answer({"content": "first", "written_at": "then", "position": "1:0:3"})
    assert asyncio.run(archive.versions("m1")).rows == [Version("first", "then", Position(1, 3, 0))]
    _answer({"user": "bob", "user_id": "b", "delivered": "1:0:4", "read": None})
    assert asyncio.run(archive.markers("one")).rows == [Marker("one", "bob", Position(1, 4, 0), None)]
    own = {"delivered": "1:0:4", "read": "1:0:3"}
    counted = {"unread": "1000+", "mentions": 2, "markers": own, "unread_from": "1:0:2", "pinned": ["m1"]}
    _answer(
        {"id": "one", "kind": "group", "title": "All", "updated_at": "now", "last_message": _row(4), **counted},
        {"id": "two", "kind": "direct", "title": "", "updated_at": "now", "last_message": None, "unread": None},
    )
    group, direct = asyncio.run(archive.conversations()).rows
    assert (group.unread, group.mentions, group.read, group.pinned) == ("1000+", 2, Position(1, 3, 0), ("m1",))
    assert (group.last_message and group.last_message.id, direct.unread, direct.last_message) == ("m4", None, None)


def test_what_is_refused_or_no_list_is_an_error_of_the_library(api: str) -> None:
    archive = Archive(Rest(api, "secret"), None)
    _Answering.body = b'{"results": 7}'
    with pytest.raises(Unavailable):
        asyncio.run(archive.mentions())
    _Answering.status, _Answering.body = 410, b'{"code": "gone", "detail": "Deleted."}'
    with pytest.raises(Gone):
        asyncio.run(archive.versions("m1"))


def test_only_http_addresses_are_asked() -> None:
    with pytest.raises(ValueError, match="REST"):
        Rest("file:///etc", "secret")
