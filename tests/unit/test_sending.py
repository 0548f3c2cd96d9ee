"""Sends: what refuses comes first, the feed answers, and what the log does not give back is `unknown` (D4)."""

import time
from typing import Any

import pytest

from klatsch.core.errors import BadRequest, InvalidContent, RateLimited, Unavailable
from klatsch.core.ids import message_id
from klatsch.eventlog.log import Entry
from klatsch.gateway.feed.pending import Waiter
from klatsch.gateway.language.protocol import UNANSWERED_MOST
from klatsch.gateway.sending import FEED_BEHIND_S
from klatsch.records.keys import MEMBERS
from klatsch.records.members import MembersChanged
from klatsch.records.values import encode
from tests.support.gateway_parts import Costs, Parts
from tests.support.records import ANA, NOW_MS, TEA, fresh_client_id, in_group
from tests.unit.sending_chat import Chat


def fill(chat: Chat) -> None:
    for number in range(UNANSWERED_MOST):
        name = number.to_bytes(16, "big")
        chat.parts.pending.add(name, Waiter(chat.outbox, number, "", b"", time.monotonic(), b""))


async def test_a_send_into_a_known_conversation_asks_nobody_and_is_answered_by_the_feed() -> None:
    chat = Chat.of()
    await chat.send(re=7)
    assert (chat.appended, chat.parts.database.asked, chat.peer.read()) == (1, 0, [])

    chat.parts.read_log()
    [answer] = chat.peer.read()
    assert (answer["re"], answer["ok"]["position"], chat.outbox.unanswered) == (7, "1:0:0", 0)


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


async def test_a_send_whose_process_stood_still_between_its_check_and_its_append_is_not_appended() -> None:
    chat = Chat.of()
    times = iter([NOW_MS, NOW_MS + 21_000])
    chat.parts.sending._clock = lambda: next(times)  # by then a retry at another gateway may be forgotten here
    with pytest.raises(Unavailable):
        await chat.send()
    assert chat.appended == 0


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
    chat.parts.pending.add(b"another's", Waiter(chat.outbox, 1, "", b"", behind_s, b""))
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
