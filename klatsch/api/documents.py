"""Documents that depend on the code alone: each process renders them once, and an ETag saves repeated downloads."""

import functools
import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.http.response import HttpResponse
from django.utils.cache import get_conditional_response
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from klatsch.api.errors import answer_problem
from klatsch.core.problems import Problem

Answer = Callable[[HttpRequest], HttpResponseBase]


@dataclass(frozen=True, slots=True)
class Document:
    """A document's bytes, content type and extra headers."""

    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'


class MadeOnce:
    """Caches one document per name. While a document is rendered, other callers wait for it."""

    def __init__(self) -> None:
        self._made: dict[str, Document] = {}
        self._making = threading.Lock()

    def get(self, name: str, make: Callable[[], Document]) -> Document:
        if name not in self._made:
            with self._making:
                if name not in self._made:
                    self._made[name] = make()
        return self._made[name]


def answer_document(request: HttpRequest | Request, document: Document) -> HttpResponseBase:
    """Answers the document, or 304 when the client's copy is current. Caches must revalidate it each time."""
    headers = {**document.headers, "ETag": document.etag, "Cache-Control": "no-cache"}
    whole = HttpResponse(document.body, content_type=document.content_type, headers=headers)
    return get_conditional_response(request, etag=document.etag, response=whole) or whole


def reading_only(answer: Answer) -> Answer:
    """Refuses every method but GET and HEAD.

    The views of the documentation leave OPTIONS to their framework, which fails where a view has an HTML template.
    """

    @functools.wraps(answer)
    def checked(request: HttpRequest) -> HttpResponseBase:
        if request.method in {"GET", "HEAD"}:
            return answer(request)
        refusal = answer_problem(Problem(405, "method_not_allowed", "This resource is read-only. Use GET."))
        refusal["Allow"] = "GET, HEAD"
        return refusal

    return checked


_SCHEMAS = MadeOnce()


class Schema(SpectacularAPIView):
    """The OpenAPI document, as YAML or JSON."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *_arguments: Any, **_named: Any) -> HttpResponseBase:
        renderer: BaseRenderer = request.accepted_renderer  # one of the view's four renderers
        return answer_document(request, _SCHEMAS.get(renderer.media_type, lambda: _render(renderer)))


def _render(renderer: BaseRenderer) -> Document:
    # Without the request: nothing of one request may appear in the cached document.
    generator: Any = SchemaGenerator
    schema = generator().get_schema(request=None, public=True)
    body = renderer.render(schema, renderer.media_type, {})
    name = {"Content-Disposition": f'inline; filename="Klatsch.{renderer.format}"'}
    return Document(body if isinstance(body, bytes) else body.encode(), f"{renderer.media_type}; charset=utf-8", name)
