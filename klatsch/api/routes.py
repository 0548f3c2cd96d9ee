"""The route of a blocking append, from the settings and the answering process."""

from django.conf import settings
from django.http import HttpRequest

from klatsch.api.ports import ports_of
from klatsch.messaging.reports import Route


def route_of(request: HttpRequest) -> Route:
    """Returns the parts and deadlines of a send or a change; raises Unavailable without a log."""
    ports = ports_of(request)
    return Route(
        log=ports.log,
        ends=ports.ends,
        progress=ports.progress,
        waits=ports.waits,
        fresh_since_ms=ports.fresh_since_ms,
        report_s=settings.ENV["KLATSCH_ANSWER_DEADLINE_MS"] / 1000,
        archive_s=settings.ENV["KLATSCH_ARCHIVE_WAIT_MS"] / 1000,
    )
