"""Presence: who is online by what any gateway says, also of gateways that are lost, late or away (D20)."""

from uuid import UUID

from klatsch.eventlog.log import Entry
from klatsch.gateway.signals.elsewhere import Elsewhere
from klatsch.records.keys import GATEWAY
from klatsch.records.signals import PresenceSignal
from klatsch.records.values import encode
from tests.support.records import BOB, CLEO, Somebody
from tests.support.signal_parts import Town, watcher


async def test_a_person_at_the_same_gateway_is_online() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana, _bob = watcher(gateway, BOB, CLEO), gateway.connect(BOB)

    assert await ana.show("bob", "cleo") == {"online": ["bob"], "offline": ["cleo"]}


async def test_a_person_at_another_gateway_is_online_and_the_change_is_pushed() -> None:
    town = Town()
    first, second = town.gateways
    ana = watcher(first, BOB)
    assert await ana.show("bob") == {"online": [], "offline": ["bob"]}

    bob = second.connect(BOB)
    await town.settle(3)
    assert ana.read() == [{"online": ["bob"], "offline": []}]
    assert await ana.show("bob") == {"online": ["bob"], "offline": []}

    bob.close()
    await town.settle(14)
    assert ana.read() == []
    await town.settle(4)
    assert ana.read() == [{"online": [], "offline": ["bob"]}]


async def test_a_person_who_comes_to_another_gateway_within_the_grace_does_not_flicker() -> None:
    town = Town()
    first, second = town.gateways
    ana, bob = watcher(first, BOB), first.connect(BOB)
    await ana.show("bob")
    bob.close()
    await town.settle(10)
    second.connect(BOB)
    await town.settle(120)

    assert ana.read() == []


async def test_a_person_with_two_connections_stays_online_until_the_last_ends() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana, one, two = watcher(gateway, BOB), gateway.connect(BOB), gateway.connect(BOB)
    await ana.show("bob")
    one.close()
    await town.settle(60)
    assert ana.read() == []

    two.close()
    await town.settle(17)
    assert ana.read() == [{"online": [], "offline": ["bob"]}]


async def test_people_of_a_gateway_that_was_killed_go_offline_ninety_seconds_after_its_last_word() -> None:
    town = Town()
    first, second = town.gateways
    ana = watcher(first, BOB, CLEO)
    second.connect(BOB)
    second.connect(CLEO)
    await town.settle(40)
    await ana.show("bob", "cleo")
    second.alive = False
    await town.settle(58)  # its last word was thirty seconds after its first, so up to ten seconds ago
    assert ana.read() == []

    await town.settle(35)
    assert sorted(ana.read()[0]["offline"]) == ["bob", "cleo"]


async def test_who_comes_back_from_a_killed_gateway_within_that_time_does_not_flicker() -> None:
    town = Town()
    first, second = town.gateways
    ana = watcher(first, BOB)
    second.connect(BOB)
    await town.settle(5)
    assert (await ana.show("bob"))["online"] == ["bob"]
    second.alive = False
    await town.settle(20)
    first.connect(BOB)
    await town.settle(120)

    assert ana.read() == []


async def test_the_people_of_a_gateway_that_says_that_it_leaves_have_the_grace() -> None:
    town = Town()
    first, second = town.gateways
    ana = watcher(first, BOB)
    second.connect(BOB)
    await town.settle(5)
    await ana.show("bob")
    second.signals.say_leaving()
    second.alive = False
    await town.settle(14)
    assert ana.read() == []
    await town.settle(4)
    assert ana.read() == [{"online": [], "offline": ["bob"]}]


async def test_a_gateway_that_starts_knows_everybody_within_two_seconds() -> None:
    town = Town()
    town.gateways[1].connect(BOB)
    await town.settle(5)
    third = town.add()
    town.gateways.append(third)
    await town.settle(2.5)

    assert await watcher(third, BOB).show("bob") == {"online": ["bob"], "offline": []}


async def test_a_lost_record_is_made_good_by_the_next_full_one() -> None:
    town = Town()
    first, second = town.gateways
    ana = watcher(first, BOB)
    await ana.show("bob")
    await town.settle(2)
    second.is_away = True
    second.connect(BOB)
    await town.settle(2)
    second.is_away = False
    await town.settle(31)

    assert ana.read() == [{"online": ["bob"], "offline": []}]


async def test_while_the_topic_is_away_presence_at_the_same_gateway_works() -> None:
    town = Town(1)
    [gateway] = town.gateways
    gateway.is_away = True
    ana = watcher(gateway, BOB)
    await ana.show("bob")
    gateway.connect(BOB)
    await town.settle(2)

    assert ana.read() == [{"online": ["bob"], "offline": []}]


async def test_many_people_are_published_in_several_records() -> None:
    town = Town()
    first, second = town.gateways
    many = [Somebody(UUID(int=number), f"person-{number}") for number in range(1_200)]
    for one in many:
        second.connect(one)
    await town.settle(2.5)

    sizes = [len(record.value) for records in town.topic.records for record in records]
    assert max(sizes) < 40_000
    assert all(first.signals.is_online(one.user_id) for one in many)


async def test_a_record_of_presence_that_is_none_of_ours_harms_nobody() -> None:
    town = Town(1)
    [gateway] = town.gateways
    other = "9a7e0000-0000-4000-8000-000000000001"
    liar = encode(PresenceSignal(gateway.signals.gateway, [BOB.user_id]))
    for value in (b"", b"{}", b"null", b"[" * 60_000, liar):
        town.topic.append(Entry(GATEWAY.of(other), value))
    await town.settle(1)

    assert not gateway.signals.is_online(BOB.user_id)


def test_what_is_known_of_other_gateways_is_bounded() -> None:
    elsewhere = Elsewhere(people_most=3)
    elsewhere.take("a", ["1", "2"], [], 0)
    elsewhere.take("b", ["2", "3"], [], 0)
    assert [elsewhere.is_online(user) for user in "123"] == [True, True, False]

    elsewhere.take("a", ["1"], ["2"], 0)
    elsewhere.take("b", ["3"], [], 0)
    assert (elsewhere.size, elsewhere.is_online("3")) == (3, True)
    for number in range(300):
        elsewhere.take(f"gateway-{number}", [], [], 0)
    assert len(elsewhere._gateways) == 256
    assert sorted(elsewhere.expire(91)) == ["1", "2", "3"]
    assert (elsewhere.size, len(elsewhere._gateways)) == (0, 0)
