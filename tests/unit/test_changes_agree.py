"""Whatever comes in whatever order: gateways, persister, clients and the documented rules come to one outcome (D18)."""

import random
from collections.abc import Callable, Iterator
from typing import Final
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faults.bugs.catalogue import OF_CHANGES
from faults.bugs.planting import plant
from faults.bugs.replacing import put_back
from klatsch.messaging.changing import Delete, Edit, Pin, React, Wish
from tests.support.records import ANA, BOB, CLEO, TEA
from tests.unit.changes_archive import POISON, Place
from tests.unit.changes_client import Client
from tests.unit.changes_model import Reader
from tests.unit.changes_world import TALK, World

TICKS_MS: Final = (1, 200, 3_000, 25_000, 55_000, 59_000, 61_000, 100_000, 160_000)
EMOJIS: Final = "👍🎉"
PEOPLE: Final = (ANA, BOB, CLEO)
ROLES: Final = ("owner", "admin", "member")
CODES: Final = {
    "removed": "not_a_member", "blocked": "blocked", "gone": "gone", "demoted": "forbidden", "conflict": "conflict",
    "late": "unavailable",
}  # fmt: skip
Numbers = tuple[int, int, int, int]


def say(world: World, a: int, b: int, c: int, d: int) -> None:
    client = world.clients[a % len(world.clients)]
    conversation = TALK if b % 3 == 0 and client.somebody is not CLEO else TEA
    world.say(client, conversation, POISON if c % 9 == 0 else f"text {d}", fly=c % 5 == 1)


def change(world: World, a: int, b: int, c: int, d: int) -> None:
    client = world.clients[a % len(world.clients)]
    known = list(client.messages)
    if c % 6 < 2:  # an edit, of one's own message
        known = [key for key in known if (found := world.archive.messages.get(key)) and client.has_said(found.row)]
    if not known:
        return
    target = known[b % min(len(known), 5)]
    message = world.archive.messages.get(target)
    if message is None or message.row is None:
        return
    conversation = TEA if message.row.event.conversation == str(TEA) else TALK
    if (conversation, client.somebody.name) in world.places:
        world.change(client, target, conversation, wish_of(c, d, client, target), fly=d % 3 == 1)


def wish_of(c: int, d: int, client: Client, target: str) -> Wish:
    base = None if d % 3 == 0 else f"1:0:{client.messages[target].changed}"
    wishes: tuple[Wish, ...] = (
        Edit(f"edit {d}", base), Edit(f"edit {d}", base), React(EMOJIS[d % 2], on=d % 5 != 0),
        React(EMOJIS[d % 2], on=d % 5 != 0), Pin(on=d % 3 != 0), Delete(),
    )  # fmt: skip
    return wishes[c % len(wishes)]


def tick(world: World, a: int, *_: int) -> None:
    world.now_ms += TICKS_MS[a % len(TICKS_MS)]


def read(world: World, a: int, b: int, *_: int) -> None:
    world.read(a % 2, 1 + b)


def store(world: World, a: int, *_: int) -> None:
    world.store(1 + a % 7)


def land(world: World, a: int, *_: int) -> None:
    world.land(a)


def copy(world: World, a: int, *_: int) -> None:
    world.copy(a)


def relay(world: World, *_: int) -> None:
    world.relay()


def again(world: World, a: int, b: int, *_: int) -> None:
    """Has a client ask again what was never answered, perhaps over another gateway."""
    client = world.clients[a % len(world.clients)]
    world.give_up(client)
    if b % 2:
        reconnect(world, a, b)
    asked, client.again = client.again, []
    for request in asked:
        world.ask(client, request, fly=False)


def reconnect(world: World, a: int, b: int, *_: int) -> None:
    client = world.clients[a % len(world.clients)]
    world.disconnect(client)
    to = b // 2 % 2
    if client.token is None or world.gateways[to].feed.offsets[0] >= client.token:
        client.gateway = to
    world.connect(client)


def restart(world: World, a: int, b: int, *_: int) -> None:
    world.replace_gateway(a % 2, (0, 700, -4_000, 4_000)[b % 4])


def restart_persister(world: World, *_: int) -> None:
    world.archive.start_again()


def retry(world: World, *_: int) -> None:
    world.retry_dead_letter()


def demote(world: World, a: int, b: int, *_: int) -> None:
    world.move(TEA, PEOPLE[a % 3], lambda place: setattr(place, "role", ROLES[b % 3]))


def block(world: World, a: int, b: int, *_: int) -> None:
    world.move(TALK, PEOPLE[a % 2], lambda place: setattr(place, "blocked", b % 2 == 0))


def remove(world: World, a: int, b: int, *_: int) -> None:
    """Removes cleo, or adds her again. Others stay, so that what their clients hold can be compared."""

    def out(place: Place) -> None:
        place.active = b % 2 == 1

    world.move(TEA, CLEO, out)


Step = Callable[..., None]
STEPS: Final[tuple[Step, ...]] = (
    say, say, say, change, change, change, change, change, change, read, read, read, read, store, store, tick, tick,
    land, land, copy, copy, relay, again, again, reconnect, restart, restart_persister, retry, demote, block, remove,
)  # fmt: skip
steps = st.lists(st.tuples(st.sampled_from(STEPS), st.tuples(*[st.integers(0, 30)] * 4)), min_size=1, max_size=60)


def play(acts: list[tuple[Step, Numbers]]) -> World:
    """Takes the steps, and lets everybody come to the end."""
    world = World()
    for client in world.clients[:3]:
        world.say(client, TEA, "first", fly=False)
    finish(world)
    for step, numbers in acts:
        step(world, *numbers)
    while world.flying:
        world.land(0)
    finish(world)
    while world.archive.dead:
        world.retry_dead_letter()
    finish(world)
    return world


def finish(world: World) -> None:
    world.relay()
    world.store(10_000)
    for number in range(2):
        world.read(number, 10_000)


def check(world: World) -> None:
    """Raises AssertionError where anybody has come to another outcome than the documented rules."""
    reader = Reader()
    for record in world.records:
        reader.read(record)
    _check_verdicts(world, reader)
    _check_answers(world, reader)
    wanted = {key: message.seen() for key, message in reader.messages.items()}
    assert {key: message.seen() for key, message in world.archive.messages.items()} == wanted
    for client in world.clients:
        if client.somebody is not CLEO:
            assert {key: message.seen() for key, message in client.messages.items()} == {
                key: seen for key, seen in wanted.items() if key in client.messages
            }
            late = {str(UUID(bytes=r.judge[1:17])) for r in world.records if POISON.encode() in r.value and r.judge}
            missing = wanted.keys() - client.messages.keys() - late  # who came meanwhile learns of these by reloading
            assert not missing, f"{client.somebody.name} was never told of {missing}"


def _check_verdicts(world: World, reader: Reader) -> None:
    changes = {record.offset for record in world.records if len(record.judge) == 82}
    stands = {o: v == "in force" for o, v in reader.verdicts.items() if o in changes and v in {"in force", "no effect"}}
    assert {offset: effective for (_, offset), effective in world.archive.effects.items()} == stands
    effects = {offset for offset, effective in stands.items() if effective}
    for gateway in (*world.gateways, *world.retired):
        keys = {str(TEA).encode(), str(TALK).encode()}
        shown = {record.offset for _, records in gateway.feed.recent.since(keys, [0]) for record in records}
        read_to = gateway.feed.offsets[0]
        assert shown & changes == {offset for offset in effects if gateway.began <= offset < read_to}


def _check_answers(world: World, reader: Reader) -> None:
    for request, frame in world.answers:
        at = reader.ids.get(request.own_id.hex())
        if "ok" in frame:
            assert frame["ok"]["position"] == f"1:0:{at}", (request, frame)
        elif not frame["err"].get("checked"):
            mine = [
                reader.verdicts[record.offset] for record in world.records
                if record.judge and record.judge[1:17] == request.own_id
            ]  # fmt: skip
            assert frame["err"]["code"] in {CODES.get(verdict) for verdict in mine}, (request, frame, mine)
    for client in world.clients:
        for offset in client.pushed:
            assert reader.verdicts[offset] in {"in force", "whole"}, offset


@pytest.fixture
def bug(request: pytest.FixtureRequest) -> Iterator[None]:
    """Plants a bug, which is gone afterwards."""
    plant(request.param)
    yield
    put_back()


@pytest.mark.parametrize("bug", [bug.name for bug in OF_CHANGES], indirect=True)
@pytest.mark.usefixtures("bug")
def test_a_planted_bug_is_found() -> None:
    assert any(_is_contradicted(seed) for seed in range(600))


def _is_contradicted(seed: int) -> bool:
    try:
        check(play(random_acts(seed)))
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("seed", [1080, 1_000_579, 1_000_906])
def test_a_late_message_that_is_changed_before_it_is_announced_ends_changed(seed: int) -> None:
    check(play(random_acts(seed)))


@settings(suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
def test_random_orders_come_to_the_documented_outcome(seed: int) -> None:
    check(play(random_acts(seed)))


def random_acts(seed: int) -> list[tuple[Step, Numbers]]:
    """Draws up to 120 acts, more than hypothesis makes."""
    numbers = random.Random(seed)
    return [
        (
            numbers.choice(STEPS),
            (numbers.randint(0, 30), numbers.randint(0, 30), numbers.randint(0, 30), numbers.randint(0, 30)),
        )
        for _ in range(numbers.randint(5, 120))
    ]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps)
def test_everybody_comes_to_the_documented_outcome(acts: list[tuple[Step, Numbers]]) -> None:
    check(play(acts))
