"""The re-check: closes on a definite "no"; an archive that does not answer is no revocation, for long (D13)."""

from collections.abc import Collection

from django.db import ProgrammingError

from klatsch.accounts.credentials import HeldCredential
from klatsch.core.errors import Unavailable
from klatsch.gateway.language.protocol import Close
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.recheck import BATCH_MOST, Recheck
from klatsch.records.people import credential_digest
from tests.support.gateway_parts import CannedDatabase
from tests.support.peer import Peer
from tests.support.records import ANA

EVERY_S, GIVE_UP_S = 60.0, 900.0
AWAY = Unavailable("The archive is away.")


class Watch:
    """A re-check of connections that began at 0 s."""

    def __init__(self, count: int = 1) -> None:
        self.database = CannedDatabase()
        self.recheck = Recheck(self.database, every_s=EVERY_S, give_up_s=GIVE_UP_S, find=self.find)
        self.peers = [Peer() for _ in range(count)]
        self.digests = [credential_digest(str(number)) for number in range(count)]
        self.outboxes = [Outbox(peer, [], 1_000) for peer in self.peers]
        for outbox, digest in zip(self.outboxes, self.digests, strict=True):
            outbox.credential = digest
            self.recheck.watch(ANA.id, outbox, 0.0)

    def find(self, held: Collection[HeldCredential]) -> set[str]:
        raise AssertionError(held)

    async def tick(self, now_s: float, *answers: object) -> None:
        self.database.answers = list(answers)
        await self.recheck.tick(now_s)
        assert self.database.answers == []

    def closed(self) -> list[Close]:
        return [code for peer in self.peers for code, _ in peer.closed]


async def test_a_definite_no_closes_with_4401_and_a_yes_does_not() -> None:
    watch = Watch(2)
    await watch.tick(EVERY_S, {watch.digests[1]})
    assert [len(peer.closed) for peer in watch.peers] == [1, 0]
    assert watch.closed() == [Close.NOT_AUTHENTICATED]
    await watch.tick(2 * EVERY_S, set())
    assert watch.closed() == [Close.NOT_AUTHENTICATED] * 2


async def test_nobody_is_asked_about_before_half_the_time_and_everybody_within_it() -> None:
    watch = Watch(100)
    await watch.tick(EVERY_S / 2 - 1)
    watch.database.answers = [set(watch.digests)] * 31
    for second in range(30, 61):
        await watch.recheck.tick(second)
    assert watch.database.asked >= 20  # spread, though they came at once
    assert watch.closed() == []


async def test_many_are_asked_about_in_one_statement() -> None:
    watch = Watch(BATCH_MOST + 1)
    await watch.tick(EVERY_S, set(watch.digests), set(watch.digests))
    assert watch.closed() == []


async def test_no_answer_closes_nobody_until_there_has_been_none_for_too_long() -> None:
    watch = Watch(BATCH_MOST * 2)
    for minute in range(1, 16):
        await watch.tick(minute * EVERY_S, AWAY)  # asked once, not for each batch
        assert watch.closed() == []
    await watch.tick(GIVE_UP_S + EVERY_S, AWAY)
    assert watch.closed() == [Close.NOT_AUTHENTICATED] * BATCH_MOST * 2


async def test_a_wrong_statement_closes_nobody_and_does_not_end_the_recheck() -> None:
    watch = Watch()
    await watch.tick(EVERY_S, ProgrammingError("column does not exist"))
    assert watch.closed() == []
    await watch.tick(2 * EVERY_S, set())
    assert watch.closed() == [Close.NOT_AUTHENTICATED]


async def test_an_answer_makes_the_time_begin_anew() -> None:
    watch = Watch()
    for now_s in (GIVE_UP_S, GIVE_UP_S + EVERY_S):
        await watch.tick(now_s, set(watch.digests))
    await watch.tick(2 * GIVE_UP_S, AWAY)
    assert watch.closed() == []


async def test_a_connection_that_has_ended_is_asked_about_no_more() -> None:
    watch = Watch()
    await watch.tick(EVERY_S, set())
    await watch.tick(9 * EVERY_S)
    assert watch.database.asked == 1


async def test_a_connection_that_is_forgotten_is_held_no_longer_and_asked_about_no_more() -> None:
    watch = Watch(3)
    gone, asked_now = watch.outboxes[:2]
    watch.recheck.forget(gone)
    assert len(watch.recheck) == 2

    async def while_asked() -> set[str]:
        watch.recheck.forget(asked_now)
        return set(watch.digests)

    await watch.tick(EVERY_S, while_asked)
    watch.recheck.forget(gone)
    await watch.tick(2 * EVERY_S, set(watch.digests))
    assert len(watch.recheck) == 1
    assert sum(len(due) for due in watch.recheck._due.values()) == 1
