"""`/metrics` of an api process; the gateway and the persister answer it themselves."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from klatsch.core.exposition import CONTENT_TYPE, exposition, may_read


def metrics(request: HttpRequest) -> HttpResponse:
    """What this process counts: of several workers on one port, the one that the request came to."""
    if not may_read(request.headers.get("Authorization", ""), settings.ENV["KLATSCH_METRICS_TOKEN"]):
        return HttpResponse("A bearer token is needed.\n", "text/plain", 401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(exposition(), CONTENT_TYPE, headers={"Cache-Control": "no-store"})
