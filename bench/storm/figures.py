"""Prints the figures of a storm, beside the goals of performance.md."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from bench.storm.account import Account
from bench.storm.record import Record, Stream
from bench.storm.statements import StatementLog

_EXAMPLES = 5


def show_held(connections: int, opened_s: float, cpu_s: float, kib: float, share: float, seconds: float) -> None:
    print(
        f"\n{connections:,} connections opened on one gateway in {opened_s:.1f} s "
        f"({cpu_s / connections * 1e6:.0f} µs of its CPU each), and held idle for {seconds:.0f} s:\n"
        f"  {kib:.1f} KiB RSS each (at most 32 wanted)\n"
        f"  {share:.1%} of a core for all together, pings and marks with it (less than 3 % wanted)"
    )


def show_return(
    reports: Sequence[Sequence[Record]], killed_at: float, jitter_s: float, used: Mapping[str, float]
) -> None:
    """Prints the seconds until connected clients are back; those that never are count as infinite."""
    records = [record for report in reports for record in report]
    streams = [(record, stream) for record in records if (stream := _came_back(record)) is not None]
    from_kill = sorted((stream.marked_at or math.inf) - killed_at for _, stream in streams)
    from_connect = sorted((stream.marked_at or math.inf) - stream.began for _, stream in streams)
    away = sum(record.lost_at is not None for record in records)
    print(
        f"\nkill -9 with {sum(record.in_flight for record in records):,} sends in flight; {away:,} connections lost; "
        f"each waits 0 to {jitter_s:g} s (more after a failure), and comes back with its token"
    )
    if streams:
        print(
            f"  all resumed {from_kill[-1]:.1f} s after the kill (at most 10 wanted): p50 {at(from_kill, 50):.1f} s, "
            f"p99 {at(from_kill, 99):.1f} s; from connect to mark p50 {at(from_connect, 50):.2f} s, "
            f"p99 {at(from_connect, 99):.2f} s"
        )
    idle = [stream for record, stream in streams if record.idle]
    fresher = sum(stream.presented != record.streams[0].base for record, stream in streams if record.idle)
    print(
        f"  {len(streams):,} of {len(records):,} came back, {sum(s.resumed for _, s in streams):,} with resumed:true "
        f"({sum(s.resumed for s in idle):,} of them idle before, {fresher:,} of these with a later mark's token), "
        f"{sum(s.resets for _, s in streams)} resets, "
        f"{sum(len(s.shown) for _, s in streams):,} messages replayed or come since"
    )
    parts = ", ".join(f"{kind} {seconds:.1f}" for kind, seconds in used.items() if seconds >= 0.05)
    print(f"  CPU seconds until then: {parts}")
    failures = Counter(failure for record in records for failure in record.failures)
    for failure, count in failures.most_common(_EXAMPLES):
        print(f"  {count} attempts failed: {failure}")


def _came_back(record: Record) -> Stream | None:
    """Returns the first connection after the loss that had everything it missed."""
    lost_at = record.lost_at
    if lost_at is None:
        return None
    return next((s for s in record.streams if s.marked_at is not None and s.marked_at > lost_at), None)


def at(ordered: Sequence[float], percent: int) -> float:
    """Returns that percentile, by the nearest rank."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def show_statements(counted: Counter[str] | None, log: StatementLog | str, connections: int) -> None:
    if counted is None:
        print(f"  SQL statements were not counted: {log}")
        return
    signing = counted["sign-in"] + counted["membership"]
    print(
        f"  SQL, each statement of that gateway as PostgreSQL logged it (log_statement = all): "
        f"{counted['resume']} for resume (0 wanted), {signing / connections:.3f} a connection for sign-in and "
        f"membership ({counted['sign-in']:,} + {counted['membership']:,}; at most 2 wanted)"
    )
    for kind, count in counted.most_common():
        if kind not in {"sign-in", "membership", "resume"}:
            print(f"    besides, {count:,} × {kind}")


def show_account(account: Account, records: Sequence[Record]) -> None:
    """Prints the ledger of the whole run, from the clients' own records and the archive."""
    sent, acknowledged = sum(len(r.sent) for r in records), sum(len(r.acknowledged) for r in records)
    refused = Counter(code for record in records for code in record.refused)
    said_again = ", ".join(f"{count:,} × {code}" for code, count in refused.most_common()) or "none"
    print(
        f"\n{sent:,} messages sent, {acknowledged:,} acknowledged ({sum(r.duplicates for r in records):,} of them had "
        f"been appended before the answer was lost); refused at first: {said_again}\n"
        f"  {account.owed:,} messages owed to the others, {account.told:,} shown to them\n"
        f"  {account.again:,} came once more above the token of who does not advance it, as the protocol has it\n"
        f"  lost {len(account.lost)}, doubled {len(account.doubled)}, strange {len(account.strange)} (0 wanted)"
    )
    for wrong in (account.lost, account.doubled, account.strange):
        for text in wrong[:_EXAMPLES]:
            print(f"    {text}")
