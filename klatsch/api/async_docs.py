"""Serves the AsyncAPI document as a page without scripts and as YAML (docs/decisions/0020-async-docs.md)."""

import base64
import functools
import hashlib
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.template.loader import render_to_string

from klatsch.api.async_page import page_of
from klatsch.api.documents import Document, MadeOnce, answer_document
from klatsch.api.errors import answer_problem
from klatsch.core.problems import Problem

Answer = Callable[[HttpRequest], HttpResponseBase]
_MEDIA_TYPE = "application/vnd.aai.asyncapi+yaml;version=3.0.0"


def reading_only(answer: Answer) -> Answer:
    """Refuses every method but GET and HEAD."""

    @functools.wraps(answer)
    def checked(request: HttpRequest) -> HttpResponseBase:
        if request.method in {"GET", "HEAD"}:
            return answer(request)
        refusal = answer_problem(Problem(405, "method_not_allowed", "This resource is read-only. Use GET."))
        refusal["Allow"] = "GET, HEAD"
        return refusal

    return checked


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
