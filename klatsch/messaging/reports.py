"""The wait of a blocking append for the log's report."""

import threading
from dataclasses import dataclass, field

import structlog

from klatsch.archive.progress import Progress
from klatsch.core.caps import AtOnce
from klatsch.core.errors import Unknown
from klatsch.eventlog.log import LogWriter, Report
from klatsch.eventlog.places import Position
from klatsch.messaging.lookup import LogEnds
from klatsch.postgres.base import release_connection

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """Parts and deadlines of a blocking send: it waits for the log's report, then for the archive.

    `log` must be a writer that reports. `waits` caps how many old `client_id`s of a person are looked up at once. Feeds
    know each use of a `client_id` that was made since `fresh_since_ms`, in ms (`Epoch.fresh_since_ms`).
    """

    log: LogWriter
    ends: LogEnds
    progress: Progress
    waits: AtOnce
    fresh_since_ms: int
    report_s: float
    archive_s: float


@dataclass(slots=True)
class ReportSlot:
    """Hands the report of the writer's thread to the waiting thread."""

    report: Report | None = None
    arrived: threading.Event = field(default_factory=threading.Event)

    def take(self, report: Report) -> None:
        self.report = report
        self.arrived.set()


def wait_for_report(slot: ReportSlot, deadline_s: float, epoch: int) -> Position:
    """Returns the record's position once the log has reported it; raises Unknown."""
    release_connection()
    slot.arrived.wait(deadline_s)
    report = slot.report
    if report is None or report.error is not None:
        _log.warning("send_unknown", reason="no report in time" if report is None else report.error)
        raise Unknown("No answer from the log in time. Send it again with the same client_id.", retry_after=1)
    return Position(epoch, report.partition, report.offset)
