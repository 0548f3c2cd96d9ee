"""Every path that Django answers, except those of `klatsch.api.probes`."""

from typing import Any

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerView

from klatsch.api import (
    auth,
    blocks,
    changes,
    conversations,
    details,
    invitations,
    markers,
    messages,
    muting,
    passwords,
    profiles,
    search,
    tokens,
    users,
)
from klatsch.api.async_docs import async_docs, async_schema
from klatsch.api.documents import Schema, reading_only
from klatsch.gateway.language.asyncapi.document import async_document, async_yaml
from klatsch.moderation import rest as moderation
from klatsch.web import pages
from klatsch.web.assets import serve_asset
from klatsch.web.page import page

handler400 = "klatsch.api.errors.bad_request"
handler403 = "klatsch.api.errors.forbidden"
handler404 = "klatsch.api.errors.not_found"
handler500 = "klatsch.api.errors.server_error"

_V1: list[Any] = [
    *auth.urlpatterns,
    *passwords.urlpatterns,
    *profiles.urlpatterns,
    *tokens.urlpatterns,
    *users.urlpatterns,
    *conversations.urlpatterns,
    *invitations.urlpatterns,
    *markers.urlpatterns,
    *muting.urlpatterns,
    *blocks.urlpatterns,
    *messages.urlpatterns,
    *moderation.urlpatterns,
    *changes.urlpatterns,
    *details.urlpatterns,
    *search.urlpatterns,
]

urlpatterns: list[Any] = [
    path("", page, name="page"),
    path("static/klatsch-<str:version>/<path:path>", serve_asset),
    path("api/v1/", include(_V1)),
    path("api/schema", reading_only(Schema.as_view()), name="schema"),
    path("api/docs", reading_only(SpectacularSwaggerView.as_view(url_name="schema")), name="docs"),
    path("api/redoc", reading_only(SpectacularRedocView.as_view(url_name="schema", template_name="redoc.html"))),
    path("api/async-schema", async_schema(async_yaml), name="async-schema"),
    path("api/async-docs", async_docs(async_document), name="async-docs"),
    path("reset", pages.reset),
    path("confirm", pages.confirm),
    path("admin/", admin.site.urls),
]
