"""Faults of people begin with the answer to the request that causes them, and end when the person is heard again."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from faults.injection import Injection
from faults.kinds_people import KINDS
from faults.person import Group, Person, Talk
from faults.plan import Planned
from faults.sends import Change, Send, Sends
from faults.view import View
from faults.world import World

PLANNED = Planned("any", 0.0, 0, -0.5)
"""The strength below 0 makes all pauses none."""
REFUSALS = ("not_a_member", "forbidden", "blocked")
KIND = {kind.name: kind for kind in KINDS if kind.heard is not None}


class Speaker:
    """A client whose sends are answered at once: the first few are refused."""

    name = "bob#0"
    is_ready = True

    def __init__(self, person: Person) -> None:
        self.person = person
        self.sends = Sends()
        self.view = View(person.username)
        self.counts: Counter[str] = Counter()
        self.refused_first = 2
        self.said: list[Send] = []

    async def say(self, send: Send) -> None:
        self.said.append(send)
        if len(self.said) > self.refused_first:
            send.is_accepted = True


class SlowWorld:
    """A world in which a request shuts a person out and lets them in again. `on_request` is called as it begins."""

    def __init__(self) -> None:
        people = [Person(name, "token") for name in ("ana", "bob")]
        self.groups = [Group("room", people[0], people[1], people[1])]
        self.company = self
        self.talks = [Talk("room", people[0], people[1])]
        self.speaker = Speaker(people[1])
        self.on_request: Callable[[], None] = lambda: None
        self.answered_at: list[float] = []

    def client_of(self, _: Person) -> Any:
        return self.speaker

    async def change_member(self, _: Group, *, active: bool) -> None:
        await self._request()

    async def change_role(self, _: Group, role: str) -> None:
        await self._request()

    async def change_block(self, _: Talk, *, on: bool) -> None:
        await self._request()

    async def _request(self) -> None:
        self.on_request()
        await asyncio.sleep(0)
        self.answered_at.append(time.monotonic())
        self.speaker.counts.update(REFUSALS)


@pytest.fixture
def slow_world() -> SlowWorld:
    return SlowWorld()


@pytest.fixture(params=KIND)
def kind_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def as_world(slow_world: Any) -> World:
    return slow_world  # type: ignore[no-any-return]  # it has what these faults use of a World


async def test_recovery_is_measured_from_the_answer_to_the_request(slow_world: SlowWorld, kind_name: str) -> None:
    injection = Injection(as_world(slow_world), PLANNED, time.monotonic())
    was_in_force: list[bool] = []
    slow_world.on_request = lambda: was_in_force.append(injection.in_force.is_set())
    bite = await KIND[kind_name].inject(injection)
    assert bite.bit
    assert was_in_force == [False, True]
    assert slow_world.answered_at[0] <= injection.measured_from <= slow_world.answered_at[1]


async def test_a_fault_that_no_request_causes_is_measured_from_its_beginning(slow_world: SlowWorld) -> None:
    injection = Injection(as_world(slow_world), PLANNED, 7.0)
    injection.felt()
    assert injection.measured_from == 7.0


async def test_it_sends_until_the_person_is_heard(
    slow_world: SlowWorld, kind_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faults.kinds_people._EACH_S", 0.0)
    monkeypatch.setattr(
        "faults.kinds_people.pin_in", lambda _, conversation: Change(conversation, "", target="message", op="pin")
    )
    heard = KIND[kind_name].heard
    assert heard is not None
    assert await heard(as_world(slow_world), PLANNED)
    assert [send.conversation for send in slow_world.speaker.said] == ["room"] * 3


async def test_a_person_who_is_never_heard_is_given_up(
    slow_world: SlowWorld, kind_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faults.kinds_people._HEARD_S", 0.0)
    heard = KIND[kind_name].heard
    assert heard is not None
    assert not await heard(as_world(slow_world), PLANNED)
