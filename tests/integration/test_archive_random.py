"""Any text is stored verbatim, and random batches come to what a plain model says (D5)."""

from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from klatsch.archive.models import ConversationState, DeadLetter, LogOffset, MembershipInterval, Message
from klatsch.conversations.access import Access
from klatsch.eventlog.log import Entry
from klatsch.persister.statements import Connection
from klatsch.persister.storing import Archive
from klatsch.records.messages import MessagePosted
from tests.integration.shelf import EPOCH, NO_DATA, Shelf, contents, letters, next_offset, said
from tests.support.records import (
    ANA,
    BOB,
    CLEO,
    COFFEE,
    TEA,
    Somebody,
    added,
    entry_of,
    in_group,
    posted,
    removed,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("picky")]


HARD = ["", "NULL", "null", '"', "\\", '\\"', "{", "}", "{}", ",", "a,b", "{a,b}", "\\N", "'", "''", "$1", "%s", "\n"]


def test_text_that_array_literals_are_made_of_is_stored_verbatim(shelf: Shelf) -> None:
    hard = [text for text in HARD if text] + [" leading and trailing ", "\t\r\n", "\\x00", "🫖\u200d", "\ufeff"]
    assert shelf.put(*(said(text) for text in hard)) == len(hard)

    assert [content for _, content in contents()] == hard


characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
pieces = st.lists(st.text(characters, max_size=20) | st.sampled_from(HARD), min_size=1, max_size=6)
texts = pieces.map(lambda several: "".join(several) or "x")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts, min_size=1, max_size=5))
def test_any_text_is_stored_verbatim(shelf: Shelf, several: list[str]) -> None:
    entries = [said(text) for text in several]
    shelf.put(*entries)

    ids = [msgspec.json.decode(entry.value, type=MessagePosted).id for entry in entries]
    stored = {str(m.pk): m.content for m in Message.objects.filter(pk__in=ids)}
    assert [stored[one] for one in ids] == several


# Random batches against a plain model: a list of what should be there.

GROUPS = (TEA, COFFEE)
accesses = st.builds(in_group, st.sampled_from([ANA, BOB]), st.sampled_from(GROUPS))
entries = st.one_of(
    st.builds(lambda access, name, body: ("say", access, f"name-{name}", body), accesses, st.integers(0, 4), texts),
    st.builds(lambda who, group: ("move", who, group), st.sampled_from([ANA, BOB]), st.sampled_from(GROUPS)),
    st.just(("refused",)),
    st.just(("poison",)),
    st.just(("stranger",)),
)
batches = st.lists(st.lists(entries, min_size=1, max_size=8), min_size=1, max_size=4)


class Model:
    """Computes the plainest way what the archive must come to."""

    def __init__(self) -> None:
        self.versions: dict[tuple[UUID, UUID], int] = {}
        self.messages: dict[UUID, list[str]] = {group: [] for group in GROUPS}
        self.ids: set[str] = set()
        self.dead: list[int] = []
        self.offset = 0

    def take(self, step: Any) -> Entry:
        entry = getattr(self, f"_{step[0]}")(*step[1:])
        self.offset += 1
        assert isinstance(entry, Entry)
        return entry

    def _say(self, access: Access, name: str, body: str) -> Entry:
        event = posted(access, body, client_id=name)
        group = UUID(access.conversation)
        is_out = self.versions.get((group, UUID(access.sender_id)), 1) % 2 == 0
        if event.id not in self.ids and not is_out:
            self.ids.add(event.id)
            self.messages[group].append(event.content)
        return entry_of(event)

    def _move(self, who: Somebody, group: UUID) -> Entry:
        version = self.versions[group, who.id] = self.versions.get((group, who.id), 1) + 1
        return (added if version % 2 else removed)(who, version, conversation=group)

    def _refused(self) -> Entry:
        self.dead.append(self.offset)
        return said(NO_DATA, CLEO)

    def _poison(self) -> Entry:
        self.dead.append(self.offset)
        return Entry(b"somewhere", b"x")

    def _stranger(self) -> Entry:
        self.dead.append(self.offset)
        return said("x", group=uuid4())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches)
def test_random_batches_come_to_what_a_plain_model_says(connection: Connection, steps: Any) -> None:
    for table in (Message, ConversationState, DeadLetter, MembershipInterval):
        table.objects.all().delete()
    LogOffset.objects.update(next_offset=0)
    shelf, model = Shelf(Archive(connection, EPOCH)), Model()
    for batch in steps:
        shelf.put(*(model.take(step) for step in batch))

    for group in GROUPS:
        assert contents(group) == list(enumerate(model.messages[group], start=1))
        state = ConversationState.objects.filter(pk=group).first()
        assert (state.last_seq if state else 0) == len(model.messages[group])
    assert [offset for offset, _ in letters()] == model.dead
    assert next_offset() == model.offset
