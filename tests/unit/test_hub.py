"""The hub: at every moment a conversation's audience is the connections of those who belong to it (D9, D10)."""

from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from klatsch.gateway.hub import ConnectedPerson, Hub
from klatsch.gateway.language.protocol import Close
from klatsch.gateway.outbox import Outbox
from tests.support.peer import Peer
from tests.support.records import ANA, BOB, CLEO, COFFEE, PEOPLE, TEA, Somebody, direct, in_group

TEA_KEY, COFFEE_KEY = in_group(ANA, TEA).key, in_group(ANA, COFFEE).key
KEYS = {TEA: TEA_KEY, COFFEE: COFFEE_KEY}


def connect(hub: Hub, somebody: Somebody) -> tuple[ConnectedPerson, Outbox]:
    outbox = Outbox(Peer(), hub.dirty, 1_000)
    return hub.join(somebody.user_id, somebody.name, outbox), outbox


def heard(hub: Hub) -> dict[bytes, set[Outbox]]:
    """Returns the connections that get each conversation; none is kept that nobody hears."""
    return {key: set().union(*(person.outboxes for person in people)) for key, people in hub.audiences.items()}


def test_who_joins_later_gets_what_their_person_is_known_to_belong_to() -> None:
    hub = Hub()
    person, first = connect(hub, ANA)
    hub.admit(person, in_group(ANA), 1)
    again, second = connect(hub, ANA)

    assert again is person
    assert heard(hub) == {TEA_KEY: {first, second}}


def test_a_person_goes_with_their_last_connection() -> None:
    hub = Hub()
    person, first = connect(hub, ANA)
    _, second = connect(hub, ANA)
    hub.admit(person, in_group(ANA), 1)
    hub.leave(person, first)
    assert heard(hub) == {TEA_KEY: {second}}

    hub.admit(person, direct(ANA, BOB), 1)
    hub.leave(person, second)
    assert (hub.audiences, hub.people, hub.member_counts, hub.writers) == ({}, {}, {}, {})


def test_a_lower_version_is_ignored() -> None:
    hub = Hub()
    person, outbox = connect(hub, ANA)
    hub.expel(person, TEA_KEY, 4)
    hub.admit(person, in_group(ANA), 3)
    assert hub.audiences == {}
    assert person.access == {}

    hub.admit(person, in_group(ANA), 5)
    hub.expel(person, TEA_KEY, 4)
    assert heard(hub) == {TEA_KEY: {outbox}}


def test_who_is_admitted_after_their_last_connection_went_has_no_audience() -> None:
    hub = Hub()
    person, outbox = connect(hub, ANA)
    hub.leave(person, outbox)
    hub.admit(person, in_group(ANA), 1)

    assert hub.audiences == {}


def test_a_direct_conversation_is_found_by_its_receiver() -> None:
    hub = Hub()
    person, _ = connect(hub, ANA)
    hub.admit(person, direct(ANA, BOB), 1)
    hub.admit(person, direct(ANA, CLEO), 1)

    assert {name: access.receiver_id for name, access in person.direct.items()} == {
        "bob": BOB.user_id,
        "cleo": CLEO.user_id,
    }


def test_close_all_closes_every_connection_with_that_code() -> None:
    hub = Hub()
    outboxes = [connect(hub, somebody)[1] for somebody in (ANA, ANA, BOB)]
    hub.close_all(Close.DRAINING, "draining, resume")

    assert all(outbox.closed for outbox in outboxes)


def test_a_flush_writes_each_socket_once_however_much_it_got() -> None:
    hub, peer = Hub(), Peer()
    outbox = Outbox(peer, hub.dirty, 1_000)
    for _ in range(5):
        outbox.push(b"frame")
    hub.flush()
    hub.flush()

    assert (peer.writes, peer.taken) == (1, b"frame" * 5)


class HubMachine(RuleBasedStateMachine):
    """Connects and disconnects while standings arrive late, twice and out of order; a plain model says who gets what.

    Odd versions are additions and even ones removals, as each change of a standing raises its version.
    """

    joined = Bundle("joined")

    def __init__(self) -> None:
        super().__init__()
        self.hub = Hub()
        self.connections: dict[str, set[Outbox]] = {}
        self.versions: dict[tuple[str, bytes], int] = {}

    @rule(target=joined, somebody=st.sampled_from(PEOPLE))
    def join(self, somebody: Somebody) -> tuple[ConnectedPerson, Outbox]:
        person, outbox = connect(self.hub, somebody)
        self.connections.setdefault(somebody.user_id, set()).add(outbox)
        return person, outbox

    @rule(target=joined, one=consumes(joined), stays=st.booleans())
    def leave(self, one: tuple[ConnectedPerson, Outbox], *, stays: bool) -> object:
        person, outbox = one
        if stays:
            return one
        self.hub.leave(person, outbox)
        mine = self.connections[person.user_id]
        mine.discard(outbox)
        if not mine:
            del self.connections[person.user_id]
            self.versions = {place: v for place, v in self.versions.items() if place[0] != person.user_id}
        return multiple()

    @rule(one=joined, group=st.sampled_from([TEA, COFFEE]), version=st.integers(1, 6))
    def learn(self, one: tuple[ConnectedPerson, Outbox], group: UUID, version: int) -> None:
        person, _ = one
        somebody = next(p for p in PEOPLE if p.user_id == person.user_id)
        if version % 2:
            self.hub.admit(person, in_group(somebody, group), version)
        else:
            self.hub.expel(person, KEYS[group], version)
        place = (person.user_id, KEYS[group])
        self.versions[place] = max(self.versions.get(place, 0), version)

    @invariant()
    def audiences_are_what_the_model_says(self) -> None:
        expected: dict[bytes, set[Outbox]] = {}
        for (user_id, key), version in self.versions.items():
            if version % 2:
                expected.setdefault(key, set()).update(self.connections[user_id])
        assert heard(self.hub) == expected

    @invariant()
    def people_are_those_with_connections(self) -> None:
        assert {user: person.outboxes for user, person in self.hub.people.items()} == self.connections

    @invariant()
    def access_is_where_the_highest_version_says_in(self) -> None:
        for person in self.hub.people.values():
            known = {key for (user, key), version in self.versions.items() if user == person.user_id and version % 2}
            assert person.access.keys() == known


HubMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestHubMachine = HubMachine.TestCase
