"""Paths for machines that come by address: health for probes, metrics for Prometheus."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from klatsch.api import health
from klatsch.api.metrics import metrics

PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/livez": health.livez,
    "/readyz": health.readyz,
    "/metrics": metrics,
}


class Probes:
    """Answers these paths under any `Host`: a container's probe and a scraper know an address, and no name of ours.

    What asks for the name (CommonMiddleware) comes later; nothing in these answers depends on it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = PROBES.get(request.path_info)
        return self._get_response(request) if view is None else view(request)
