"""The layer scenario: the Kafka channel layer beside channels_redis, in one run.

Twenty tasks send to one group, each awaiting its `group_send`, as fast as that goes. Then 50 messages a second are
sent, of which the latencies are. The members receive in one process or two; the sender's process then has half of them.
"""

import argparse
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Final

from bench.cpu import process_cpu_s
from bench.layer.backends import Backend, all_backends
from bench.layer.worker import Outcome, Task, serve
from bench.options import add_scenario, add_seconds
from bench.percentiles import Latency, latency_of
from bench.report import Report, Result

_WAIT_S: Final = 120.0
_PACE: Final = 50.0
_STALLED: Final = 500
_FOREIGN: Final = 20_000
_FOREIGN_PACE: Final = 100.0
_FOREIGN_S: Final = 8.0


def add_layer(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = __doc__ or ""
    parser = add_scenario(scenarios, "layer", "the Kafka channel layer beside channels_redis", about, _run)
    add = parser.add_argument
    add("--groups", type=int, nargs="+", default=[1, 10, 100, 1_000], help="sizes of the group (default: %(default)s)")
    add("--messages", type=int, default=4_000, help="the most that are sent at a time (default: %(default)s)")
    add_seconds(parser, 4)


@dataclass(frozen=True, slots=True)
class _Scene:
    """The observations of all processes of a scene, and the CPU that the server used meanwhile."""

    outcomes: list[Outcome]
    server_s: float

    @property
    def sent(self) -> int:
        return sum(outcome.sent for outcome in self.outcomes)

    @property
    def received(self) -> int:
        return sum(outcome.received for outcome in self.outcomes)

    @property
    def client_s(self) -> float:
        return sum(outcome.cpu_s for outcome in self.outcomes)

    @property
    def latency(self) -> Latency | None:
        return latency_of(latency for outcome in self.outcomes for latency in outcome.latencies_s)


def _run(arguments: argparse.Namespace, report: Report) -> None:
    with all_backends() as backends:
        report.begin(servers={"kafka": os.environ["KAFKA_BOOTSTRAP_SERVERS"]})
        for size in arguments.groups:
            for processes in (1, 2):
                for backend in backends:
                    report.add(_compare(backend, size, processes, arguments))
        for backend in backends:
            report.add(_stall(backend))
        for backend in backends:
            report.add(_foreign(backend, _FOREIGN_PACE))
            report.add(_foreign(backend, None))
    print("\n" + "\n".join(table(report.results)))


def _compare(backend: Backend, size: int, processes: int, arguments: argparse.Namespace) -> Result:
    """Sends as fast as it goes for the rate, the losses and the CPU; then slowly, for the latencies."""
    shares = [size] if processes == 1 else [size // 2, size - size // 2]
    most, seconds = arguments.messages, arguments.seconds
    fast = _play([Task(backend, share, place == 0, seconds, most) for place, share in enumerate(shares)])
    slow_messages = int(_PACE * seconds)
    paced = _play(
        [Task(backend, share, place == 0, _WAIT_S, slow_messages, _PACE) for place, share in enumerate(shares)]
    )
    title = f"{size:,} | {processes} | {backend.name}"
    result = Result(title, "send", fast.sent, fast.outcomes[0].sending_s)
    result.latencies = {"delivery": paced.latency}
    result.facts = {
        "lost": f"{1 - fast.received / (fast.sent * size):.1%}",
        "client CPU µs a send": 1e6 * fast.client_s / fast.sent,
        "server CPU µs a send": 1e6 * fast.server_s / fast.sent,
        "lost at 50 a second": f"{1 - paced.received / (paced.sent * size):.1%}",
    }
    return result


def _stall(backend: Backend) -> Result:
    scene = _play([Task(backend, 10, sends=True, seconds=_WAIT_S, messages=_STALLED, per_second=200, stalled=1)])
    result = Result(f"one of 10 members stalls | {backend.name}", "send", scene.sent, scene.outcomes[0].sending_s)
    result.facts = {
        "the others lost": scene.sent * 9 - scene.received,
        "the stalled one still gets": scene.outcomes[0].of_stalled,
    }
    return result


def _foreign(backend: Backend, per_second: float | None) -> Result:
    """Sends to a group of which another process has no member: what that costs this process."""
    most = _FOREIGN if per_second is None else int(per_second * _FOREIGN_S)
    sender = Task(backend, 0, sends=True, seconds=_FOREIGN_S, messages=most, per_second=per_second, senders=100)
    reader = Task(backend, 1, sends=False, seconds=_WAIT_S, messages=0, apart=True)
    busy, idle = _play([sender, reader]), _play([replace(sender, messages=0), reader])
    idle_s = idle.outcomes[1].cpu_s / idle.outcomes[1].quiet_s * busy.outcomes[1].quiet_s
    spent_s = busy.outcomes[1].cpu_s - idle_s
    result = Result(f"foreign messages | {backend.name}", "send", busy.sent, busy.outcomes[0].sending_s)
    result.facts = {"CPU µs of a process that they do not concern": 1e6 * max(spent_s, 0) / busy.sent}
    return result


def table(results: Iterable[Result]) -> Iterator[str]:
    """Yields the comparison as the README has it."""
    yield "| group | processes | layer | sends/s | lost | client µs/send | server µs/send | p50 ms | p99 ms |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for result in results:
        latency = result.latencies.get("delivery")
        if latency is not None:
            lost, client, server, _ = result.facts.values()
            yield (
                f"| {result.title} | {result.per_second:,.0f} | {lost} | {client:,.0f} | {server:,.0f} "
                f"| {latency.p50:.1f} | {latency.p99:.1f} |"
            )


def _play(tasks: list[Task]) -> _Scene:
    """Lets the processes of a scene do their tasks, each step when all are there."""
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    started = []
    for task in tasks:
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(task, theirs), daemon=True)
        process.start()
        pipes.append(ours)
        started.append(process)
    server = tasks[0].backend.server
    _step(pipes)
    _step(pipes)
    before_s = process_cpu_s(server)
    _step(pipes)
    outcomes = [_heard(pipe) for pipe in pipes]
    used_s = process_cpu_s(server) - before_s
    for process in started:
        process.join(_WAIT_S)
    return _Scene([outcome for outcome in outcomes if isinstance(outcome, Outcome)], used_s)


def _step(pipes: Iterable[Connection]) -> None:
    for pipe in pipes:
        _heard(pipe)
    for pipe in pipes:
        pipe.send("go")


def _heard(pipe: Connection) -> object:
    if not pipe.poll(_WAIT_S):
        raise SystemExit("A process of the bench does not answer.")
    return pipe.recv()
