"""A conversation that an adoption has moved: the position of a change names the partition of its own epoch (D2)."""

import msgspec
import pytest

from klatsch.archive.details import get_message, list_reactions, list_versions
from klatsch.archive.models import LogOffset, Message
from klatsch.archive.targets import Wanted, find_own, read_facts
from klatsch.core.ids import uuid_bytes
from klatsch.eventlog.log import Entry
from klatsch.eventlog.memory import MemoryLog
from klatsch.eventlog.models import Epoch
from klatsch.persister.batch import sort_records
from klatsch.persister.past import changes_in
from klatsch.persister.statements import Connection
from klatsch.persister.storing import Archive
from klatsch.records.header import judged_id
from klatsch.records.judge import Memberships
from tests.integration.shelf import SAID, view
from tests.support.changes import edited, pinned, reacted
from tests.support.records import ANA, BOB, NOW_MS, entry_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("ana_and_bob_in_tea")]

OLD, NEW = 12, 24


class Moved:
    """Stores entries in an epoch, at the partition where a writer of that epoch would append them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._logs = {1: MemoryLog(OLD), 2: MemoryLog(NEW)}

    def put(self, epoch: int, *entries: Entry) -> str:
        """Returns the position of the last entry."""
        appended = [self._logs[epoch].append(entry) for entry in entries]
        records = [msgspec.structs.replace(record, time_ms=NOW_MS) for record in appended]
        archive = Archive(self._connection, epoch)
        past = archive.read_past(changes) if (changes := changes_in(records)) else None
        batch = sort_records(records, Memberships(), past=past)
        archive.store(batch, {records[0].partition: records[0].offset})
        return f"{epoch}:{records[-1].partition}:{records[-1].offset}"


@pytest.fixture
def moved(connection: Connection) -> Moved:
    """Stores a message of Ana's in the old epoch. Nothing was read of the new one, which has more partitions."""
    LogOffset.objects.all().delete()
    for epoch, partitions in ((1, OLD), (2, NEW)):
        Epoch.objects.create(epoch=epoch, topic_id=f"topic {epoch}", partitions=partitions)
        LogOffset.objects.bulk_create(LogOffset(epoch=epoch, partition=p, next_offset=0) for p in range(partitions))
    moved = Moved(connection)
    said = moved.put(1, entry_of(SAID))
    assert view()["changed"] == said
    return moved


def places(moved: Moved) -> tuple[str, str]:
    """Returns the positions of the message, and of something in the new epoch, which lies in another partition."""
    before, after = view()["position"], moved.put(2, edited(SAID, "first", client_id="first"))
    assert before.split(":")[1] != after.split(":")[1], "the conversation was moved"
    return before, after


def test_a_message_that_was_changed_since_is_changed_at_the_place_of_the_change(moved: Moved) -> None:
    before, after = places(moved)
    assert (view()["position"], view()["changed"]) == (before, after)
    pin = moved.put(2, pinned(SAID, ANA))
    shown = get_message(user_id=ANA.id, message_id=Message.objects.get().pk)
    assert (shown.position, shown.changed) == (before, pin)


def test_versions_have_the_places_of_the_epochs_in_which_they_were_written(moved: Moved) -> None:
    before, after = places(moved)
    message = Message.objects.get().pk
    assert [one.position for one in list_versions(message_id=message, limit=9)] == [before, after]


def test_reactions_have_the_places_of_the_epochs_in_which_they_were_made(moved: Moved) -> None:
    old = moved.put(1, reacted(SAID, "👍", ANA))
    places(moved)
    new = moved.put(2, reacted(SAID, "👍", BOB))
    assert [one.position for one in list_reactions(message_id=Message.objects.get().pk, limit=9)] == [old, new]


def test_an_editor_is_told_the_place_of_the_last_edit(moved: Moved) -> None:
    old = moved.put(1, edited(SAID, "zeroth", client_id="zeroth"))
    wanted = Wanted(uuid_bytes(SAID.id), uuid_bytes(ANA.user_id))
    assert read_facts([wanted])[wanted].edited == old
    _, new = places(moved)
    assert read_facts([wanted])[wanted].edited == new


def test_a_change_is_found_by_its_name_at_the_same_place(moved: Moved) -> None:
    entry = edited(SAID, "first", client_id="first")
    after = moved.put(2, entry)
    own = find_own(judged_id(entry.judge))
    assert own is not None
    assert own.position == after == view()["changed"]
