"""The figures of a storm, beside the goals that they are to reach."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from bench.meter import Used
from bench.percentiles import latency_of
from bench.report import Fact, Result
from bench.storm.account import Account
from bench.storm.record import Record, Stream
from bench.storm.statements import StatementLog

_EXAMPLES: Final = 5
_SIGNING: Final = ("sign-in", "membership")


def tell_return(
    reports: Sequence[Sequence[Record]], killed_at: float, jitter_s: float, used: Used, sql: Mapping[str, Fact]
) -> Result:
    """Returns how long it took until connected clients were back, and what became of their tokens."""
    records = [record for report in reports for record in report]
    streams = [(record, stream) for record in records if (stream := _came_back(record)) is not None]
    marked = [(stream, stream.marked_at) for _, stream in streams if stream.marked_at is not None]
    from_kill = [marked_at - killed_at for _, marked_at in marked]
    idle = [stream for record, stream in streams if record.idle]
    fresher = sum(stream.presented != record.streams[0].base for record, stream in streams if record.idle)
    failures = Counter(failure for record in records for failure in record.failures)
    facts: dict[str, Fact] = {
        "sends in flight at kill -9": sum(record.in_flight for record in records),
        "connections lost": sum(record.lost_at is not None for record in records),
        "wait before the first attempt": f"0 to {jitter_s:g} s, more after a failure",
        "seconds until all resumed (at most 10 wanted)": round(max(from_kill, default=0.0), 2),
        "came back": f"{len(streams):,} of {len(records):,}",
        "resumed": f"{sum(s.resumed for _, s in streams):,}, of them idle before {sum(s.resumed for s in idle):,}, "
        f"of these with a later mark's token {fresher:,}",
        "resets": sum(s.resets for _, s in streams),
        "messages replayed or come since": sum(len(s.shown) for _, s in streams),
    }
    facts |= {f"failed attempts: {failure}": count for failure, count in failures.most_common(_EXAMPLES)}
    return Result(
        "return after kill -9",
        "return",
        len(streams),
        max(from_kill, default=0.0),
        latencies={
            "resumed": latency_of(from_kill),
            "mark": latency_of(marked_at - stream.began for stream, marked_at in marked),
        },
        used=used,
        facts=facts | dict(sql),
    )


def _came_back(record: Record) -> Stream | None:
    """Returns the first connection after the loss that had everything it missed."""
    lost_at = record.lost_at
    if lost_at is None:
        return None
    return next((s for s in record.streams if s.marked_at is not None and s.marked_at > lost_at), None)


def tell_statements(counted: Counter[str] | None, log: StatementLog | str, connections: int) -> dict[str, Fact]:
    """Returns the statements of the second gateway, as PostgreSQL logged each of them."""
    if counted is None:
        return {"SQL statements": f"not counted: {log}"}
    facts: dict[str, Fact] = {
        "SQL statements for resume (0 wanted)": counted["resume"],
        "SQL statements a connection for sign-in and membership (at most 2 wanted)": round(
            sum(counted[kind] for kind in _SIGNING) / connections, 3
        ),
    }
    besides = ((kind, count) for kind, count in counted.most_common() if kind not in {*_SIGNING, "resume"})
    return facts | {f"SQL besides: {kind}": count for kind, count in besides}


def tell_account(account: Account, records: Sequence[Record]) -> Result:
    """Returns the ledger of the whole run, from the clients' own records and the archive."""
    refused = Counter(code for record in records for code in record.refused)
    facts: dict[str, Fact] = {
        "messages sent": sum(len(record.sent) for record in records),
        "acknowledged": sum(len(record.acknowledged) for record in records),
        "had been appended before the answer was lost": sum(record.duplicates for record in records),
        "refused at first": ", ".join(f"{count:,} × {code}" for code, count in refused.most_common()) or "none",
        "owed to the others": account.owed,
        "shown to them": account.told,
        "came once more, above a token that was not advanced": account.again,
        "lost (0 wanted)": len(account.lost),
        "doubled (0 wanted)": len(account.doubled),
        "strange (0 wanted)": len(account.strange),
    }
    wrong = [text for texts in (account.lost, account.doubled, account.strange) for text in texts[:_EXAMPLES]]
    return Result(
        "ledger of the run", "message", 0, 0.0, facts=facts | {f"wrong, {n}": text for n, text in enumerate(wrong, 1)}
    )
