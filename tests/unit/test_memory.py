"""The log in memory makes faults on request. That it is a log is shown in tests/contract."""

import pytest

from klatsch.eventlog.log import Entry, LogFull, Report
from klatsch.eventlog.memory import MemoryLog, MemoryWriter

ENTRY = Entry(b"key", b"value")


def test_a_writer_with_room_for_two_is_full_at_the_third() -> None:
    log = MemoryLog(partitions=1)
    writer = MemoryWriter(log)
    writer.room = 2
    writer.append(ENTRY)
    writer.append(ENTRY)
    with pytest.raises(LogFull):
        writer.append(ENTRY)

    assert len(log.records[0]) == 2


@pytest.mark.parametrize("reports", ["all", "errors"])
def test_a_broken_writer_reports_an_error_and_appends_nothing(reports: str) -> None:
    log, told = MemoryLog(partitions=1), list[Report]()
    writer = MemoryWriter(log, reports=reports)
    writer.broken = True
    writer.append(ENTRY, told.append)
    writer.append(ENTRY)

    assert log.records == [[]]
    assert [(report.entry, report.error is None) for report in told] == [(ENTRY, False)]
