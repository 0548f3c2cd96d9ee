"""Serves the AsyncAPI document as a page without scripts and as YAML (docs/decisions/0020-async-docs.md)."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.template.loader import render_to_string

from klatsch.api.async_page import page_of
from klatsch.api.documents import Answer, Document, MadeOnce, answer_document, reading_only

_MEDIA_TYPE = "application/vnd.aai.asyncapi+yaml;version=3.0.0"


def async_docs(make_document: Callable[[], dict[str, Any]]) -> Answer:
    """Answers the document's page, and tells the browser to run no script and load nothing."""
    pages = MadeOnce()

    def make() -> Document:
        style = render_to_string("async_docs.css")
        page = render_to_string("async_docs.html", {"style": style, **page_of(make_document())})
        return Document(page.encode(), "text/html; charset=utf-8", {"Content-Security-Policy": _policy(style)})

    @reading_only
    def answer(request: HttpRequest) -> HttpResponseBase:
        return answer_document(request, pages.get("", make))

    return answer


def async_schema(make_text: Callable[[], str]) -> Answer:
    """Answers the document's text."""
    texts = MadeOnce()

    @reading_only
    def answer(request: HttpRequest) -> HttpResponseBase:
        return answer_document(request, texts.get("", lambda: Document(make_text().encode(), _MEDIA_TYPE)))

    return answer


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
