"""Documents that only the code decides are made once, and travel once."""

import threading

import pytest
from django.test import Client

from klatsch.api import async_docs, documents
from klatsch.api.documents import Document, MadeOnce

PATHS = ["/api/schema", "/api/async-schema", "/api/async-docs"]


@pytest.mark.parametrize("path", PATHS)
def test_a_document_has_an_etag_and_who_has_it_gets_304(path: str) -> None:
    client = Client()
    first = client.get(path)
    assert first.status_code == 200
    assert first["Cache-Control"] == "no-cache"
    again = client.get(path, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert client.get(path, headers={"If-None-Match": '"other"'}).content == first.content


@pytest.mark.parametrize("path", PATHS)
def test_a_document_is_not_made_again_for_each_who_asks(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    first = client.get(path)

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("it was there already")

    monkeypatch.setattr("drf_spectacular.generators.SchemaGenerator.get_schema", fail)
    monkeypatch.setattr(async_docs, "page_of", fail)
    monkeypatch.setattr("klatsch.gateway.language.asyncapi.document._socket", fail)
    assert client.get(path).content == first.content


def test_what_one_asks_is_not_in_what_the_others_get() -> None:
    client = Client()
    documents._SCHEMAS._made.clear()
    odd = client.get("/api/schema?version=9&lang=de", headers={"Accept": "application/json"})
    plain = client.get("/api/schema", headers={"Accept": "application/json"})
    assert odd.content == plain.content
    assert plain.json()["info"]["version"] == "1"


def test_yaml_and_json_are_two_documents() -> None:
    client = Client()
    text = client.get("/api/schema")
    data = client.get("/api/schema", headers={"Accept": "application/json"})
    assert text["ETag"] != data["ETag"]
    assert "Accept" in data["Vary"]


def test_while_a_document_is_made_all_others_wait_for_that_one() -> None:
    made: list[int] = []
    may = threading.Event()

    def make() -> Document:
        may.wait(10)
        made.append(1)
        return Document(b"text", "text/plain")

    once = MadeOnce()
    got: list[Document] = []
    threads = [threading.Thread(target=lambda: got.append(once.get("a", make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    may.set()
    for thread in threads:
        thread.join()
    assert (len(made), {document.body for document in got}) == (1, {b"text"})
