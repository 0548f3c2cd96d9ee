"""Sends that reply: the original is found in the feed's memory or the archive, or the send is refused."""

import pytest

from klatsch.core.errors import Gone, NotArchivedYet, NotFound, Unavailable
from klatsch.core.ids import message_id, uuid_text
from klatsch.eventlog.log import Entry
from klatsch.messaging.sending import Draft, identify
from tests.support.changes import deleted, edited
from tests.support.gateway_parts import END, earlier
from tests.support.records import ANA, BOB, COFFEE, NOW_MS, entry_of, fresh_client_id, in_group, posted
from tests.unit.sending_chat import Chat

ORIGINAL = posted(in_group(BOB), "original", client_id=fresh_client_id())


def tell(chat: Chat, *entries: Entry) -> None:
    """Appends as others do, and the feed reads it."""
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
    chat.parts.feed.offsets[0] = 6
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
