"""Describes faults: how they are caused, whom they concern, what they use, and when they are recovered from."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from faults.client import Client
from faults.cluster import Cluster
from faults.plan import Planned
from faults.world import GATEWAYS, World

_POLL_S = 0.05


class Bite(NamedTuple):
    """The hurt part, whether the fault was felt, the sign of it, and how many brokers it killed."""

    target: str
    bit: bool
    evidence: str
    kills: int = 0


@dataclass(slots=True)
class Injection:
    """A fault under way. It calls `felt` as soon as it is in force: recovery is measured from its beginning.

    A fault that a request causes calls `answered` instead: recovery is measured from the answer, as the request may
    wait for the pair's other fault.
    """

    world: World
    planned: Planned
    began: float
    in_force: asyncio.Event = field(default_factory=asyncio.Event)
    in_force_at: float = 0.0
    measured_from: float = field(init=False)
    healed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.measured_from = self.began

    @property
    def gateway(self) -> int:
        return self.planned.target % GATEWAYS

    @property
    def cluster(self) -> Cluster:
        assert isinstance(self.world.kafka, Cluster)
        return self.world.kafka

    @property
    def again_s(self) -> float | None:
        """Returns the seconds until the part is hurt again, 2 to 9, in the stronger half of the faults; else None."""
        return None if self.planned.strength < 0.5 else self.between(-5.0, 9.0)  # noqa: PLR2004 - half

    def answered(self) -> None:
        self.felt()
        self.measured_from = self.in_force_at

    def felt(self) -> None:
        self.in_force_at = time.monotonic()
        self.in_force.set()

    def between(self, least: float, most: float) -> float:
        """Returns the planned strength, scaled between two bounds."""
        return least + (most - least) * self.planned.strength


@dataclass(frozen=True, slots=True)
class FaultKind:
    """`concerns` are the clients whose sends and answers count for it; `archive` says that the archive must catch up.

    `cuts` says that those clients lose their connection. With `brokers` it comes only where there are so many. `heard`
    sends for the person whom the fault shuts out, once it is healed, and returns whether that was accepted at last.
    """

    name: str
    inject: Callable[[Injection], Awaitable[Bite]]
    concerns: Callable[[World, Planned], list[Client]]
    uses: frozenset[str]
    limit_s: float
    archive: bool = False
    cuts: bool = False
    brokers: int | None = None
    heard: Callable[[World, Planned], Awaitable[bool]] | None = None


def at_gateway(world: World, planned: Planned) -> list[Client]:
    return world.clients_at(planned.target % GATEWAYS)


def everybody(world: World, _: Planned) -> list[Client]:
    return world.clients


async def until(condition: Callable[[], object], deadline_s: float) -> bool:
    """Returns whether the condition became true in time."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(_POLL_S)
    return True


async def until_in_thread(condition: Callable[[], object], deadline_s: float) -> bool:
    """Returns whether a condition that asks a server became true in time; runs it in a thread."""
    end = time.monotonic() + deadline_s
    while not await asyncio.to_thread(condition):
        if time.monotonic() > end:
            return False
        await asyncio.sleep(_POLL_S)
    return True


def closes_since(clients: list[Client], since: float, gateway: int | None = None) -> list[int | None]:
    """Returns the close codes that these clients have seen; None is a connection that broke."""
    return [
        code for client in clients for at, where, code in client.closes
        if at >= since and (gateway is None or where == gateway)
    ]  # fmt: skip


def codes_text(codes: list[int | None]) -> str:
    """Returns the codes as text, such as `12 × 4301, 1 × broken`."""
    counted = {code: codes.count(code) for code in sorted(set(codes), key=str)}
    return ", ".join(f"{count} × {'broken' if code is None else code}" for code, count in counted.items()) or "none"
