"""Lookups of a send before its append: the conversation, mentioned members, and old client_ids."""

import asyncio
import contextlib
from typing import Any

import msgspec
import pytest

from klatsch.core.errors import Conflict, InvalidContent, KlatschError, NotFound, Unavailable
from klatsch.core.ids import message_id, uuid_text
from klatsch.gateway.lookups import AT_ONCE_MOST
from klatsch.gateway.outbox import Outbox
from klatsch.messaging.mentions import Mention
from klatsch.messaging.sending import Draft, identify
from tests.support.gateway_parts import END, earlier
from tests.support.peer import Peer
from tests.support.records import ANA, BOB, TEA, direct, in_group
from tests.unit.sending_chat import Chat


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


@pytest.mark.parametrize("text", ["", "x", str(TEA).upper(), f"{{{TEA}}}", f"urn:uuid:{TEA}", TEA.hex, f"{TEA}\n"])
async def test_an_id_is_one_text_and_any_other_names_no_conversation(text: str) -> None:
    chat = Chat.of(member=False)
    with pytest.raises(NotFound):
        await chat.send(conversation=text)

    assert (chat.appended, chat.parts.database.asked) == (0, 0)


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


@pytest.mark.parametrize("error", [NotFound("There is no such conversation."), Unavailable("The archive is away.")])
async def test_after_a_no_of_postgresql_nothing_was_appended(error: KlatschError) -> None:
    chat = Chat.of(member=False)
    chat.parts.database.answers = [error]
    with pytest.raises(type(error)):
        await chat.send()

    assert (chat.appended, chat.outbox.unanswered) == (0, 0)


async def test_an_old_client_id_that_names_an_archived_message_is_answered_with_its_position() -> None:
    chat = Chat.of()
    chat.parts.database.answers = [END, earlier("1:0:5", identify(in_group(ANA), Draft("hi", "last-week")).digest)]
    sending = asyncio.create_task(chat.send(client_id="last-week", re=3))
    await asyncio.sleep(0.05)
    assert chat.peer.read() == [], "it would be pushed after its answer"
    chat.parts.feed.offsets[0] = 6
    await sending

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
