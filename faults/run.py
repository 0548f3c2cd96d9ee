"""A run: load, pairs of faults by a plan, the ledger, and at the end everything healed, drained and checked."""

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from faults import kinds_cluster, kinds_network, kinds_people, kinds_processes, kinds_servers
from faults.checker import Verdict, check
from faults.client import Client
from faults.draining import NotDrained, drain
from faults.dumps import dump
from faults.evidence import load_evidence, save_dumps
from faults.history import Held
from faults.injection import Bite, FaultKind, Injection, until, until_in_thread
from faults.ledger import FaultLine, RunLine, append_line, tell
from faults.load import Load
from faults.plan import Pair, Planned, make_plan
from faults.world import World

KINDS = {
    kind.name: kind
    for kind in (
        *kinds_processes.KINDS,
        *kinds_servers.KINDS,
        *kinds_cluster.KINDS,
        *kinds_network.KINDS,
        *kinds_people.KINDS,
    )
}
_IN_FLIGHT_S = 8.0
_RECOVERED_S = 90.0
_PAUSE_S = 1.5
_OUTAGE_S = 5.0
"""A gateway takes PostgreSQL for lost until it next tries to connect."""


@dataclass(slots=True)
class _Fault:
    """A fault as it went; times are monotonic."""

    number: int
    kind: FaultKind
    planned: Planned
    began: float = 0.0
    healed: float = 0.0
    measured_from: float = 0.0
    recovered: float | None = None
    sends: int = 0
    reconnects: int = 0
    bite: Bite = field(default_factory=lambda: Bite("", bit=False, evidence="never came"))


class Run:
    """A run of a seed over a filled world. Lines are written to the ledger as they come."""

    def __init__(self, world: World, *, seed: int, per_second: float, ledger: Path, commit: str) -> None:
        self.world = world
        self.name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{seed}"
        self.faults = 0
        self._seed = seed
        self._ledger = ledger
        self._commit = commit
        self._undrained = ""
        self._load = Load(world.speakers, per_second)
        self._began = time.monotonic()
        self._began_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._without_postgres: list[tuple[float, float]] = []
        self._times: list[tuple[float, float, float]] = []
        self.lines: list[FaultLine | RunLine] = []

    async def go(self, seconds: float, only: Sequence[str] | None = None, *, least: int = 0, kills: int = 0) -> Verdict:
        """Causes at least so many faults, for a number of seconds or until brokers were killed; returns the verdict."""
        plan = make_plan(self._seed, uses_of(self.world.brokers, only))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(task) for task in self._everybody()]
            await self._all_ready()
            self._began = time.monotonic()
            until_s = self._began + seconds
            while (self._killed() < kills) if kills else (time.monotonic() < until_s or self.faults < least):
                await self._pair(next(plan))
                if kills:
                    print(f"    {self._killed()} of {kills} kills", flush=True)
                await self._go_home()
            self._load.is_on = False
            try:
                await drain(self.world)
            except NotDrained as error:  # there is something to be judged all the same
                self._undrained = str(error)
            for task in tasks:
                task.cancel()
        return await self._judge()

    def _killed(self) -> int:
        return sum(line.kills for line in self.lines if isinstance(line, FaultLine))

    def _everybody(self) -> Iterator[Coroutine[None, None, None]]:
        for client in self.world.clients:
            yield client.run()
            yield client.reloading.run()
        for client in self.world.speakers:
            yield self._load.speak(client)

    async def _all_ready(self) -> None:
        if not await until(lambda: all(client.is_ready for client in self.world.clients), 30):
            raise RuntimeError("not everybody could connect")
        await asyncio.sleep(1.0)

    async def _go_home(self) -> None:
        """Spreads the clients over the gateways again, so that the next fault finds some wherever it comes."""
        for client in self.world.clients:
            client.go_home()
        await until(lambda: all(client.is_ready for client in self.world.clients), _RECOVERED_S)
        await asyncio.sleep(_PAUSE_S)

    async def _pair(self, pair: Pair) -> None:
        """Causes both faults, the second a little after the first; returns when both are healed and recovered from."""
        faults = []
        for planned in pair:
            self.faults += 1
            faults.append(_Fault(self.faults, KINDS[planned.kind], planned))
        await asyncio.gather(*(self._cause(fault) for fault in faults))
        over = max(fault.healed for fault in faults)
        for fault in faults:
            overlapped = (f.number for f in faults if f is not fault and _overlap(f, fault))
            overlaps, limit_s = next(overlapped, None), _limit_s(fault, faults)
            self._note(_line(self.name, self._began, fault, overlaps, over, limit_s))

    async def _cause(self, fault: _Fault) -> None:
        await asyncio.sleep(fault.planned.delay_s)
        world, kind = self.world, fault.kind
        concerned = kind.concerns(world, fault.planned)
        fault.sends, fault.reconnects = await self._something_in_flight(concerned)
        fault.began = time.monotonic()
        injection = Injection(world, fault.planned, fault.began)
        before = {client.name: client.connection for client in concerned}
        watching = asyncio.create_task(self._watch(fault, injection, concerned, before))
        try:
            fault.bite = await kind.inject(injection)
        finally:
            fault.healed = time.monotonic()
            if "postgres" in kind.uses:
                self._without_postgres.append((fault.began, fault.healed + _OUTAGE_S))
            self._times.append((fault.began, fault.healed, kind.limit_s))
            injection.healed.set()
        await watching

    async def _something_in_flight(self, concerned: list[Client]) -> tuple[int, int]:
        """Waits until sends are in flight, making clients send where all are silent; returns their numbers."""
        speakers = [client for client in concerned if client in self.world.speakers]
        until_s = time.monotonic() + _IN_FLIGHT_S
        while not any(found := _in_flight(concerned)) and time.monotonic() < until_s:
            for client in speakers:
                await self._load.burst(client)
            await asyncio.sleep(0)
        return found

    async def _watch(
        self, fault: _Fault, injection: Injection, concerned: list[Client], before: dict[str, int]
    ) -> None:
        """Notes when all concerned clients continue, and when the archive has what the log had at the healing."""
        await injection.in_force.wait()
        sends, reconnects = _in_flight(concerned)
        fault.sends, fault.reconnects = max(fault.sends, sends), max(fault.reconnects, reconnects)

        def go_on() -> bool:
            return all(_goes_on(client, injection, fault, before[client.name]) for client in concerned)

        recovered = await until(go_on, _RECOVERED_S)
        fault.measured_from = injection.measured_from
        if fault.kind.heard is not None:
            await injection.healed.wait()
            recovered = await fault.kind.heard(self.world, fault.planned) and recovered
        if fault.kind.archive:
            await injection.healed.wait()
            ends = await asyncio.to_thread(self.world.ends)
            recovered = await until_in_thread(lambda: self.world.has_archived(ends), _RECOVERED_S) and recovered
        fault.recovered = time.monotonic() if recovered else None

    def _note(self, line: FaultLine | RunLine) -> None:
        self.lines.append(line)
        append_line(self._ledger, line)
        print(tell(line), flush=True)

    async def _judge(self) -> Verdict:
        world = self.world
        for client in world.clients:
            client.history.write(Held(time.monotonic(), client.view.texts()))
            client.history.close()
        await asyncio.to_thread(self._dump)
        verdict = await asyncio.to_thread(lambda: check(load_evidence(world.evidence)))
        counts = sum((client.counts for client in world.clients), Counter[str]())
        self._note(
            RunLine(
                run=self.name,
                seed=self._seed,
                began=self._began_at,
                commit=self._commit,
                seconds=round(time.monotonic() - self._began, 1),
                faults=self.faults,
                acknowledged=verdict.acknowledged,
                lost=verdict.count("lost"),
                doubled=verdict.count("doubled"),
                reordered=verdict.count("reordered"),
                strangers=verdict.count("strangers"),
                mixed_up=verdict.count("mixed up"),
                seen=dict(sorted(counts.items())),
                undrained=self._undrained,
            )
        )
        return verdict

    def _dump(self) -> None:
        world = self.world
        brokers = {"bootstrap.servers": world.kafka.bootstrap_servers}
        dumps = dump(brokers, world.system.log.topic, world.system.database_url)
        about = msgspec.structs.replace(dumps.about, without_postgres=self._without_postgres, faults=self._times)
        save_dumps(world.evidence, replace(dumps, about=about))


def uses_of(brokers: int, only: Sequence[str] | None = None) -> dict[str, frozenset[str]]:
    """Returns the kinds that can come with this number of brokers, with what each uses."""
    return {
        name: kind.uses for name, kind in KINDS.items()
        if kind.brokers in {None, brokers} and (only is None or name in only)
    }  # fmt: skip


def _in_flight(clients: list[Client]) -> tuple[int, int]:
    """Returns the numbers of unanswered sends and of clients that are just connecting."""
    return (
        sum(len(client.sends.pending) + len(client.sends.waiting) for client in clients),
        sum(not client.is_ready for client in clients),
    )


def _goes_on(client: Client, injection: Injection, fault: _Fault, connection: int) -> bool:
    """Returns whether the client is connected, reconnected where it was cut, and answered since where it sends."""
    if not client.is_ready or (fault.kind.cuts and client.connection == connection):
        return False
    return client.acknowledged_at > injection.in_force_at or not client.name.endswith("#0")


def _overlap(one: _Fault, other: _Fault) -> bool:
    return one.began < other.healed and other.began < one.healed


def _limit_s(fault: _Fault, pair: Sequence[_Fault]) -> float:
    """Returns the time to recover: for who must be heard again, as long as the other fault may keep all from that."""
    return max(one.kind.limit_s for one in pair) if fault.kind.heard is not None else fault.kind.limit_s


def _line(run: str, began: float, fault: _Fault, overlaps: int | None, over: float, limit_s: float) -> FaultLine:
    recovered = fault.recovered
    return FaultLine(
        run=run,
        number=fault.number,
        kind=fault.kind.name,
        target=fault.bite.target,
        at_s=round(fault.began - began, 1),
        lasted_s=round(fault.healed - fault.began, 2),
        overlaps=overlaps,
        sends_in_flight=fault.sends,
        reconnects_in_flight=fault.reconnects,
        evidence=fault.bite.evidence,
        bit=fault.bite.bit,
        recovered_s=None if recovered is None else round(recovered - fault.measured_from, 2),
        after_heal_s=None if recovered is None else round(max(0.0, recovered - over), 2),
        limit_s=limit_s,
        kills=fault.bite.kills,
    )
