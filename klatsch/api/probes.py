"""Paths for machines that connect by address: health for probes, metrics for Prometheus."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from klatsch.api import health
from klatsch.core.exposition import CONTENT_TYPE, exposition, may_read


def metrics(request: HttpRequest) -> HttpResponse:
    """Answers this process's metrics. Of several workers on one port, the worker that got the request answers."""
    if not may_read(request.headers.get("Authorization", ""), settings.ENV["KLATSCH_METRICS_TOKEN"]):
        return HttpResponse("Send the metrics token.\n", "text/plain", 401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(exposition(), CONTENT_TYPE, headers={"Cache-Control": "no-store"})


PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/livez": health.livez,
    "/readyz": health.readyz,
    "/metrics": metrics,
}


class Probes:
    """Answers these paths under any `Host`: a container's probe and a scraper know an address, not our host name.

    CommonMiddleware, which checks the host, comes later. No answer depends on the host.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = PROBES.get(request.path_info)
        return self._get_response(request) if view is None else view(request)
