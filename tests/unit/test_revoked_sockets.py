"""A record of ended credentials closes the connections that came with them, and no others (D13)."""

import json

import pytest

from klatsch.core.errors import NotFound
from klatsch.gateway.language.protocol import Close
from tests.support.gateway_parts import Parts, signed_in, standing_of
from tests.support.records import ANA, BOB, CLEO, Somebody, direct, ended, fresh_client_id, in_group, records_of
from tests.support.waiting import until
from tests.unit.socket_peer import SocketPeer, connected, send_frame


async def all_say_hello(parts: Parts, *peers: SocketPeer) -> None:
    """Lets all say hello who have begun to connect: ana twice, whose second connection asks nothing more, and bob."""
    await until(lambda: not parts.database.answers)
    parts.database.answers = [[], []]
    for peer in peers:
        peer.say({"id": 1, "op": "hello", "d": {}})
        await peer.reads(2)


async def say_hello(parts: Parts, peer: SocketPeer, somebody: Somebody = ANA) -> None:
    parts.database.answers += [signed_in(somebody), [standing_of(in_group(somebody))]]
    peer.say({"id": 1, "op": "hello", "d": {}})
    await peer.reads(2)


def codes(peer: SocketPeer) -> list[Close]:
    return [code for code, _ in peer.closed]


async def test_an_ended_credential_closes_its_own_sockets_with_4401_and_no_others() -> None:
    parts = Parts()
    parts.database.answers = [signed_in(ANA), signed_in(ANA, "phone"), signed_in(BOB, "phone")]
    async with connected(parts) as laptop, connected(parts) as phone, connected(parts) as bob:
        await all_say_hello(parts, laptop, phone, bob)
        parts.apply(records_of(ended(ANA, "phone", "tablet")))
        assert (codes(laptop), codes(phone), codes(bob)) == ([], [Close.NOT_AUTHENTICATED], [])


async def test_a_deactivation_closes_every_socket_of_the_person() -> None:
    parts = Parts()
    parts.database.answers = [signed_in(ANA), signed_in(ANA, "phone"), signed_in(BOB)]
    async with connected(parts) as laptop, connected(parts) as phone, connected(parts) as bob:
        await all_say_hello(parts, laptop, phone, bob)
        parts.apply(records_of(ended(ANA)))
        assert codes(laptop) == codes(phone) == [Close.NOT_AUTHENTICATED]
        assert codes(bob) == []


async def test_what_was_written_after_the_end_of_its_credential_is_not_appended() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        await say_hello(parts, peer)
        parts.apply(records_of(ended(ANA, "laptop")))
        peer.events.get_nowait()  # the close, which a client's frames may overtake
        peer.say(send_frame(2))
        await until(peer.events.empty)
    assert parts.log.records == [[]]


async def test_a_credential_that_ended_between_sign_in_and_hello_closes_with_4401_and_leaves_nobody() -> None:
    parts = Parts()
    parts.database.answers = [signed_in(ANA)]
    async with connected(parts) as peer:
        await until(lambda: not parts.database.answers)
        parts.apply(records_of(ended(ANA, "laptop")))
        peer.say({"id": 1, "op": "hello", "d": {}})
        await until(lambda: peer.closed)
    assert codes(peer) == [Close.NOT_AUTHENTICATED]
    assert parts.hub.people == {}


async def test_what_ended_before_somebody_signed_in_does_not_keep_them_out() -> None:
    parts = Parts()
    parts.apply(records_of(ended(ANA), ended(ANA, "laptop")))
    async with connected(parts) as peer:
        await say_hello(parts, peer)
    assert codes(peer) == []


async def test_what_ended_of_others_or_with_another_credential_keeps_nobody_out() -> None:
    parts = Parts()
    parts.database.answers = [signed_in(ANA)]
    async with connected(parts) as peer:
        await until(lambda: not parts.database.answers)
        parts.apply(records_of(ended(BOB), ended(ANA, "phone")))
        parts.database.answers = [[]]
        peer.say({"id": 1, "op": "hello", "d": {}})
        await peer.reads(2)
    assert codes(peer) == []


async def test_a_record_that_comes_while_hello_is_read_finds_its_socket() -> None:
    parts = Parts()

    async def meanwhile() -> list[object]:
        parts.apply(records_of(ended(ANA, "laptop")))
        return []

    parts.database.answers = [signed_in(ANA), meanwhile]
    async with connected(parts) as peer:
        peer.say({"id": 1, "op": "hello", "d": {}})
        await until(lambda: peer.closed)
    assert codes(peer) == [Close.NOT_AUTHENTICATED]
    assert peer.read() == []


@pytest.mark.parametrize("by_name", [True, False])
async def test_a_deactivated_receiver_is_asked_about_again_and_still_heard(by_name: bool) -> None:  # noqa: FBT001 - a case
    parts = Parts()
    access = direct(ANA, BOB)
    async with connected(parts) as peer:
        await say_hello(parts, peer)
        person = parts.hub.people[ANA.user_id]
        for one in (access, direct(ANA, CLEO)):
            parts.hub.admit(person, one, 1)
        parts.apply(records_of(ended(BOB)))

        assert access.key in parts.hub.audiences
        parts.database.answers = [NotFound("asked")]
        where = {"to": "bob"} if by_name else {"conversation": access.conversation}
        body = {"client_id": fresh_client_id(), "content": "hi"} | where
        peer.say(json.dumps({"id": 2, "op": "send", "d": body}))
        [answer] = await peer.reads(1)
        assert answer["err"]["detail"] == "asked"
        assert person.direct.keys() == {"cleo"}


async def test_who_comes_after_a_deactivation_or_during_it_has_no_cached_yes_for_it() -> None:
    parts = Parts()
    access = direct(ANA, BOB)

    async def meanwhile() -> list[object]:
        parts.hub.part("bob")
        return [standing_of(access, peer=(BOB.id, "bob"))]

    for answer in (meanwhile, [standing_of(access, peer=(BOB.id, "bob"), peer_active=False)]):
        parts.database.answers = [signed_in(ANA), answer]
        async with connected(parts) as peer:
            peer.say({"id": 1, "op": "hello", "d": {}})
            await peer.reads(2)
            person = parts.hub.people[ANA.user_id]
            assert (person.direct, person.writable) == ({}, {})
            assert person.access.keys() == {access.key}
