"""The page of the AsyncAPI document: everything that the document says, and nothing from elsewhere."""

import re
from html.parser import HTMLParser

import pytest
import yaml
from django.test import Client

from klatsch.api.async_page import kind_of, markdown, markdown_line
from klatsch.gateway.language.asyncapi.document import async_document
from tests.integration.people import problem

PAGE = "/api/async-docs"
TEXT = "/api/async-schema"
DOCUMENT = async_document()


class Page(HTMLParser):
    """The ids and the links of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.add(tag)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.links += [values["href"] or ""] if "href" in values else []

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def page(client: Client) -> Page:
    return Page(client.get(PAGE).content.decode())


def test_the_page_shows_every_message_shape_and_code(page: Page) -> None:
    components = DOCUMENT["components"]
    wanted = {f"message-{name}" for name in components["messages"]} | {
        f"shape-{name}" for name in components["schemas"]
    }
    assert wanted <= set(page.ids)
    socket = DOCUMENT["channels"]["socket"]
    for row in (*socket["x-close-codes"], *socket["x-error-codes"]):
        assert str(row["code"]) in page.text
        assert row["means"].split("`")[0] in page.text
    assert '"op": "hello"' in page.text


def test_markdown_of_the_document_is_shown_as_markdown_and_html_in_it_as_text(page: Page) -> None:
    assert "`" not in page.text
    assert "code" in page.tags
    assert str(markdown("`a`<script>")) == "<p><code>a</code>&lt;script&gt;</p>\n"
    assert "href" not in markdown_line("[a](javascript:alert)")


def test_every_link_of_the_page_leads_somewhere(client: Client, page: Page) -> None:
    assert len(set(page.ids)) == len(page.ids)
    for link in set(page.links):
        if link.startswith("#"):
            assert link[1:] in page.ids, link
        else:
            assert client.get(link).status_code == 200, link


def test_the_page_has_no_script_loads_nothing_and_tells_the_browser_so(client: Client, page: Page) -> None:
    assert not page.tags & {"script", "img", "link", "iframe", "object"}
    policy = client.get(PAGE)["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert re.search(r"style-src 'sha256-[A-Za-z0-9+/]{43}='", policy)
    assert "unsafe" not in policy


def test_the_document_can_be_had_as_text(client: Client) -> None:
    answer = client.get(TEXT)
    assert answer["Content-Type"].startswith("application/vnd.aai.asyncapi+yaml")
    assert yaml.safe_load(answer.content) == DOCUMENT


@pytest.mark.parametrize("path", [PAGE, TEXT])
def test_it_can_only_be_read(client: Client, path: str) -> None:
    answer = client.post(path)
    assert problem(answer) == (405, "method_not_allowed")
    assert answer["Allow"] == "GET, HEAD"
    assert client.head(path).status_code == 200


def test_a_shape_is_told_in_a_few_words() -> None:
    assert kind_of({"anyOf": [{"type": "string"}, {"type": "null"}]}) == "string or null"
    assert kind_of({"type": "array", "items": {"$ref": "#/components/schemas/Membership"}}) == "array of Membership"
    assert kind_of({"enum": ["direct", "group"]}) == '"direct" or "group"'
    assert kind_of({"type": "object", "additionalProperties": {"type": "integer"}}) == "object of integer"
    assert kind_of({}) == "anything"
