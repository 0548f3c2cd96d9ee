"""Sends: what refuses comes first, the feed answers, and what the log does not give back is `unknown` (D4)."""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from klatsch.core.errors import (
    BadRequest,
    Conflict,
    Gone,
    InvalidContent,
    KlatschError,
    NotArchivedYet,
    NotFound,
    RateLimited,
    Unavailable,
)
from klatsch.core.ids import message_id, uuid_text
from klatsch.eventlog.log import Entry
from klatsch.gateway.feed.pending import Waiter
from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language.protocol import UNANSWERED_MOST
from klatsch.gateway.language.requests import Send, SendBody
from klatsch.gateway.lookups import AT_ONCE_MOST
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.sending import FEED_BEHIND_S
from klatsch.messaging.mentions import Mention
from klatsch.messaging.sending import Draft, identify
from klatsch.records.keys import MEMBERS
from klatsch.records.members import MembersChanged
from klatsch.records.values import encode
from tests.support.changes import deleted, edited
from tests.support.gateway_parts import END, Costs, Parts, earlier
from tests.support.peer import Peer
from tests.support.records import ANA, BOB, COFFEE, NOW_MS, TEA, direct, entry_of, fresh_client_id, in_group, posted


@dataclass
class Chat:
    """Ana's connection, and the parts that it sends through."""

    parts: Parts
    person: ConnectedPerson
    outbox: Outbox
    peer: Peer

    @classmethod
    def of(cls, parts: Parts | None = None, *, member: bool = True) -> "Chat":
        parts = parts or Parts()
        peer = Peer()
        outbox = Outbox(peer, parts.hub.dirty, 2**20)
        person = parts.hub.join(ANA.user_id, ANA.name, outbox)
        if member:
            parts.hub.admit(person, in_group(ANA), 1)
            parts.hub.admit(person, direct(ANA, BOB), 1)
        return cls(parts, person, outbox, peer)

    async def send(self, re: int = 1, **fields: Any) -> None:
        body: dict[str, Any] = {"content": "hi", "client_id": fresh_client_id(), "conversation": str(TEA)} | fields
        await self.parts.sending.send(self.person, self.outbox, Send(id=re, d=SendBody(**body)))

    @property
    def appended(self) -> int:
        return len(self.parts.log.records[0])


def fill(chat: Chat) -> None:
    for number in range(UNANSWERED_MOST):
        name = number.to_bytes(16, "big")
        chat.parts.pending.add(name, Waiter(chat.outbox, number, b"", time.monotonic(), b""))


@pytest.mark.parametrize("name", ["bob", "Bob", "BOB"])
async def test_a_send_to_a_known_person_asks_nobody_in_whatever_case_they_are_named(name: str) -> None:
    chat = Chat.of()
    await chat.send(conversation=None, to=name)

    assert (chat.appended, chat.parts.database.asked) == (1, 0)


async def test_who_has_left_is_asked_for_again_in_whatever_case_they_are_named() -> None:
    chat = Chat.of()
    chat.parts.hub.part("BOB")
    for name in ("bob", "Bob"):
        chat.parts.database.answers = [NotFound("There is nobody called bob.")]
        with pytest.raises(NotFound):
            await chat.send(conversation=None, to=name)


async def test_a_send_into_a_known_conversation_asks_nobody_and_is_answered_by_the_feed() -> None:
    chat = Chat.of()
    await chat.send(re=7)
    assert (chat.appended, chat.parts.database.asked, chat.peer.read()) == (1, 0, [])

    chat.parts.read_log()
    [answer] = chat.peer.read()
    assert (answer["re"], answer["ok"]["position"], chat.outbox.unanswered) == (7, "1:0:0", 0)


async def test_a_known_person_is_written_to_by_name_without_asking() -> None:
    chat = Chat.of()
    await chat.send(conversation=None, to="bob")

    assert chat.parts.log.records[0][0].key == direct(ANA, BOB).key
    assert chat.parts.database.asked == 0


async def test_an_unknown_conversation_is_always_asked_for_and_then_known() -> None:
    chat = Chat.of(member=False)
    chat.parts.database.answers = [(in_group(ANA), 1)]
    await chat.send()
    await chat.send()

    assert (chat.appended, chat.parts.database.asked) == (2, 1)
    assert str(TEA).encode() in chat.parts.hub.audiences


def mentioned(chat: Chat) -> list[list[str]]:
    return [msgspec.json.decode(record.value)["mentions"] for record in chat.parts.log.records[0]]


async def test_the_members_whom_a_message_mentions_are_looked_up_before_it_is_appended() -> None:
    chat = Chat.of()
    chat.parts.database.answers = [(Mention("bob", BOB.user_id),)]
    await chat.send(content="hi @bob")
    await chat.send(content="write to ana@example.org")
    await chat.send()

    assert (mentioned(chat), chat.parts.database.asked) == ([["bob"], [], []], 1)


async def test_a_mention_in_a_direct_conversation_asks_nobody() -> None:
    chat = Chat.of()
    await chat.send(conversation=None, to="bob", content="@BOB @cleo")

    assert (mentioned(chat), chat.parts.database.asked) == ([["bob"]], 0)


async def test_a_message_is_sent_without_mentions_while_postgresql_is_away() -> None:
    chat = Chat.of()
    chat.parts.database.answers = [Unavailable("Away.")]
    await chat.send(content="hi @bob")

    assert mentioned(chat) == [[]]


ORIGINAL = posted(in_group(BOB), "original", client_id=fresh_client_id())


def tell(chat: Chat, *entries: Entry) -> None:
    """Others append, and the feed reads it."""
    chat.parts.log.clock = lambda: NOW_MS
    for entry in entries:
        chat.parts.log.append(entry)
    chat.parts.read_log()
    chat.peer.read()


async def test_a_reply_to_what_the_feed_remembers_asks_nobody() -> None:
    chat = Chat.of()
    tell(chat, entry_of(ORIGINAL))
    await chat.send(reply_to=ORIGINAL.id)

    assert (chat.appended, chat.parts.database.asked) == (2, 0)


async def test_an_older_original_is_looked_up_in_the_archive() -> None:
    chat = Chat.of()
    chat.parts.database.answers = [False]
    await chat.send(reply_to=ORIGINAL.id)

    assert (chat.appended, chat.parts.database.asked) == (1, 1)


async def test_a_reply_to_what_is_not_there_is_refused_once_the_archive_has_what_the_feed_has_read() -> None:
    chat = Chat.of()
    tell(chat, entry_of(posted(in_group(BOB, COFFEE), "elsewhere", client_id="a")))
    chat.parts.database.answers = [None, None]
    with pytest.raises(NotFound) as caught:
        await chat.send(reply_to=ORIGINAL.id)

    assert [field.field for field in caught.value.fields] == ["reply_to"]
    assert (chat.appended, chat.parts.database.asked) == (1, 2)


async def test_a_message_of_another_conversation_and_a_change_are_no_originals() -> None:
    chat = Chat.of()
    elsewhere = posted(in_group(BOB, COFFEE), "elsewhere", client_id="a")
    tell(chat, entry_of(elsewhere), entry_of(ORIGINAL), edited(ORIGINAL, "edited", client_id="edit"))
    change_id = uuid_text(message_id(in_group(BOB).conversation_bytes, BOB.id.bytes, "edit"))
    for reply_to in (elsewhere.id, change_id):
        chat.parts.database.answers = [None, None]
        with pytest.raises(NotFound):
            await chat.send(reply_to=reply_to)


async def test_a_reply_waits_for_an_archive_that_is_behind_and_gives_up() -> None:
    chat = Chat.of()
    tell(chat, entry_of(posted(in_group(BOB, COFFEE), "elsewhere", client_id="a")))
    chat.parts.progress.reaches = False
    chat.parts.database.answers = [None]
    with pytest.raises(NotArchivedYet):
        await chat.send(reply_to=ORIGINAL.id)
    assert chat.appended == 1


@pytest.mark.parametrize("archived", [True, False])
async def test_a_reply_to_a_deleted_message_is_gone_also_before_the_archive_knows(*, archived: bool) -> None:
    chat = Chat.of()
    if not archived:
        tell(chat, entry_of(ORIGINAL), deleted(ORIGINAL))
    appended = chat.appended
    chat.parts.database.answers = [archived, END, None]
    with pytest.raises(Gone):
        await chat.send(reply_to=ORIGINAL.id)
    assert chat.appended == appended


async def test_a_retry_of_a_reply_whose_original_was_deleted_since_is_answered_as_before() -> None:
    chat = Chat.of()
    client_id = fresh_client_id()
    digest = identify(in_group(ANA), Draft("hi", client_id, ORIGINAL.id)).digest
    chat.parts.database.answers = [True, END, earlier("1:0:5", digest)]
    await chat.send(client_id=client_id, reply_to=ORIGINAL.id)

    [answer] = chat.peer.read()
    assert (answer["ok"]["position"], answer["ok"]["duplicate"], chat.appended) == ("1:0:5", True, 0)


async def test_a_reply_to_an_older_message_is_unavailable_while_postgresql_is_away() -> None:
    chat = Chat.of()
    chat.parts.database.answers = [Unavailable("Away.")]
    with pytest.raises(Unavailable):
        await chat.send(reply_to=ORIGINAL.id)
    assert chat.appended == 0


@pytest.mark.parametrize("error", [NotFound("There is no such conversation."), Unavailable("The archive is away.")])
async def test_after_a_no_of_postgresql_nothing_was_appended(error: KlatschError) -> None:
    chat = Chat.of(member=False)
    chat.parts.database.answers = [error]
    with pytest.raises(type(error)):
        await chat.send()

    assert (chat.appended, chat.outbox.unanswered) == (0, 0)


@pytest.mark.parametrize("fields", [{"conversation": None}, {"to": "bob"}])
async def test_a_send_names_either_a_conversation_or_whom_it_is_to(fields: dict[str, Any]) -> None:
    chat = Chat.of()
    with pytest.raises(BadRequest):
        await chat.send(**fields)
    assert chat.appended == 0


async def test_after_a_refusal_nothing_was_appended_and_nothing_waits() -> None:
    chat = Chat.of()
    with pytest.raises(InvalidContent):
        await chat.send(content="\0")

    assert (chat.appended, chat.outbox.unanswered, chat.parts.pending.oldest_s()) == (0, 0, None)


async def test_64_unanswered_sends_are_enough_until_one_is_answered() -> None:
    chat = Chat.of()
    fill(chat)
    with pytest.raises(RateLimited) as caught:
        await chat.send()
    assert caught.value.retry_after
    assert chat.appended == 0

    chat.parts.pending.take(bytes(16))
    await chat.send()
    assert chat.appended == 1


async def test_the_unanswered_sends_of_one_connection_are_not_anothers() -> None:
    chat = Chat.of()
    fill(chat)
    other = Chat.of(chat.parts)
    await other.send()

    assert other.appended == 1


async def test_a_person_who_sends_too_fast_is_told_when_to_come_again() -> None:
    chat = Chat.of(Parts(per_second=1))
    await chat.send()
    await chat.send()
    with pytest.raises(RateLimited) as caught:
        await chat.send()

    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 1
    assert chat.appended == 2


async def test_a_message_to_a_large_group_costs_more_than_one_to_two_people() -> None:
    chat = Chat.of()
    tokens = chat.parts.sending._rates = Costs(0)
    await chat.send(conversation=None, to="bob")
    chat.parts.hub.resize(in_group(ANA).key, 1_000)
    with pytest.raises(RateLimited) as caught:
        await chat.send()
    assert tokens.taken == [1, 1, 50]
    assert (caught.value.retry_after, chat.appended) == (2.5, 1)


async def test_how_many_members_a_group_has_is_known_from_its_records_and_forgotten_with_its_last_connection() -> None:
    chat = Chat.of()
    event = MembersChanged(conversation=str(TEA), kind="group", title="Tea", members=[], member_count=1_000)
    chat.parts.log.append(Entry(MEMBERS.of(str(TEA)), encode(event), b"", place=in_group(ANA).key))
    chat.parts.read_log()
    assert chat.parts.hub.member_counts[in_group(ANA).key] == 1_000
    chat.parts.hub.leave(chat.person, chat.outbox)
    assert not chat.parts.hub.member_counts


async def test_a_feed_that_is_too_far_behind_refuses_sends_as_temporary() -> None:
    chat = Chat.of()
    behind_s = time.monotonic() - FEED_BEHIND_S - 1
    chat.parts.pending.add(b"another's", Waiter(chat.outbox, 1, b"", behind_s, b""))
    with pytest.raises(Unavailable) as caught:
        await chat.send()

    assert caught.value.temporary
    assert chat.appended == 0


async def test_a_feed_that_lacks_what_others_sent_long_ago_refuses_sends_and_new_people_until_it_has_read_it() -> None:
    chat = Chat.of()
    chat.parts.log.append(Entry(b"another's", b"", b""))
    now_s = time.monotonic()
    for seconds in (0, FEED_BEHIND_S - 1):
        chat.parts.lag.look(now_s + seconds)
        assert chat.parts.opening.not_ready() == {}
    chat.parts.lag.look(now_s + FEED_BEHIND_S + 1)
    assert chat.parts.opening.not_ready() == {"feed": "is behind the log"}
    with pytest.raises(Unavailable):
        await chat.send()

    chat.parts.read_log()
    chat.parts.lag.look(now_s + FEED_BEHIND_S + 2)
    assert chat.parts.opening.not_ready() == {}
    await chat.send()


async def test_a_full_log_is_unavailable_and_nothing_waits_for_an_answer() -> None:
    chat = Chat.of()
    chat.parts.writer.room = 0
    with pytest.raises(Unavailable):
        await chat.send()

    assert (chat.appended, chat.outbox.unanswered) == (0, 0)


async def test_an_old_client_id_that_names_an_archived_message_is_answered_with_its_position() -> None:
    chat = Chat.of()
    chat.parts.database.answers = [END, earlier("1:0:5", identify(in_group(ANA), Draft("hi", "last-week")).digest)]
    await chat.send(client_id="last-week", re=3)

    [answer] = chat.peer.read()
    sent = message_id(in_group(ANA).conversation_bytes, ANA.id.bytes, "last-week")
    assert answer == {"re": 3, "ok": {"id": uuid_text(sent), "position": "1:0:5", "duplicate": True}}
    assert (chat.appended, chat.outbox.unanswered) == (0, 0)


async def test_an_old_client_id_that_names_nothing_is_appended() -> None:
    chat = Chat.of()
    chat.parts.database.answers = [END, None]
    await chat.send(client_id="last-week")

    assert (chat.appended, chat.outbox.unanswered) == (1, 1)


async def test_a_bad_draft_is_refused_before_anything_is_looked_up_or_appended() -> None:
    chat = Chat.of()
    asked = chat.parts.database.asked
    with pytest.raises(InvalidContent):
        await chat.send(content="\0", client_id="last-week")

    assert (chat.appended, chat.parts.database.asked) == (0, asked)


@pytest.mark.parametrize(
    ("answers", "error"),
    [([END, earlier("1:0:5", b"another")], Conflict), ([Unavailable("Away.")], Unavailable)],
)
async def test_an_old_client_id_that_is_a_conflict_or_cannot_be_looked_up_appends_nothing(
    answers: list[Any], error: type[KlatschError]
) -> None:
    chat = Chat.of()
    chat.parts.database.answers = answers
    with pytest.raises(error):
        await chat.send(client_id="last-week")

    assert chat.appended == 0


async def test_few_old_client_ids_of_a_person_wait_for_the_archive_at_once_and_none_of_them_in_a_thread() -> None:
    chat = Chat.of()
    chat.parts.progress.comes_on.clear()
    chat.parts.database.answers = [END] * (AT_ONCE_MOST + 1)
    waiting = [asyncio.create_task(chat.send(client_id=f"old-{number}")) for number in range(AT_ONCE_MOST)]
    for _ in range(10):  # turns of the loop, until each waits
        await asyncio.sleep(0)
    assert chat.parts.progress.waiting == AT_ONCE_MOST
    asked = chat.parts.database.asked
    with pytest.raises(Unavailable) as caught:
        await chat.send(client_id="one-more")
    assert caught.value.retry_after == 1
    assert chat.parts.database.asked == asked

    chat.parts.database.answers = [None] * AT_ONCE_MOST
    chat.parts.progress.comes_on.set()
    await asyncio.gather(*waiting)
    assert chat.appended == AT_ONCE_MOST


async def test_another_person_is_looked_up_beside_one_who_has_enough_waiting() -> None:
    chat = Chat.of()
    lookups = chat.parts.sending._lookups
    chat.parts.database.answers = [(in_group(BOB), 1)]
    other = chat.parts.hub.join(BOB.user_id, BOB.name, Outbox(Peer(), chat.parts.hub.dirty, 2**20))
    with contextlib.ExitStack() as stack:
        for _ in range(AT_ONCE_MOST):
            stack.enter_context(lookups._at_once.enter(ANA.user_id))
        assert await lookups.find_access(other, str(TEA), None) == (in_group(BOB), 1)


async def test_what_the_log_reports_as_failed_is_unknown() -> None:
    chat = Chat.of()
    chat.parts.writer.broken = True
    await chat.send(re=5)
    assert chat.peer.read() == []

    chat.parts.run_on_loop()
    [answer] = chat.peer.read()
    assert (answer["re"], answer["err"]["code"], answer["err"]["temporary"]) == (5, "unknown", True)
    assert chat.outbox.unanswered == 0


async def test_what_waits_longer_than_the_deadline_is_unknown_and_a_push_when_it_comes() -> None:
    chat = Chat.of(Parts(answer_s=-1))
    await chat.send(re=5)
    chat.parts.sending.tick()
    assert [frame["err"]["code"] for frame in chat.peer.read()] == ["unknown"]

    chat.parts.read_log()
    assert [frame["t"] for frame in chat.peer.read()] == ["message"]


async def test_what_is_within_the_deadline_goes_on_waiting() -> None:
    chat = Chat.of()
    await chat.send()
    chat.parts.sending.tick()

    assert chat.peer.read() == []
    assert chat.outbox.unanswered == 1


async def test_a_late_report_of_what_was_answered_changes_nothing() -> None:
    chat = Chat.of()
    await chat.send()
    chat.parts.read_log()
    chat.peer.read()
    name = fresh_client_id()
    chat.parts.sending.give_up(message_id(in_group(ANA).conversation_bytes, ANA.id.bytes, name))

    assert chat.peer.read() == []
