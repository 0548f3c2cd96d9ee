"""Dead letters: what could not be stored can be tried again, once its cause is mended."""

from io import StringIO
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from klatsch.accounts.models import User
from klatsch.archive.models import ConversationState, DeadLetter, Marker, MembershipInterval, Message
from klatsch.archive.targets import MODERATION, Wanted, read_facts, read_facts_of_any
from klatsch.conversations.models import Conversation
from klatsch.core.errors import Blocked, Conflict, InvalidContent, KlatschError, NotAMember, NotFound, Unavailable
from klatsch.core.ids import direct_conversation_id, message_id, uuid_text
from klatsch.eventlog.models import OutboxEntry
from klatsch.messaging.changing import Edit, check_announced, check_facts
from klatsch.persister.dead_letters import retry_dead_letter
from klatsch.records.header import NEW_MESSAGE, judged_actor, make_header
from klatsch.records.kinds import KINDS
from klatsch.records.messages import MessageChanged, MessagePosted, digest
from klatsch.records.values import encode
from tests.integration.people import make_person
from tests.support.records import NOW_MS

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> tuple[User, User]:
    return make_person("ana"), make_person("bob")


def dead_letter(
    people: tuple[User, User], *, offset: int = 7, client_id: str = "one", content: str = "hi"
) -> DeadLetter:
    """Makes a dead letter of a message whose conversation was not known when the persister met it."""
    ana, bob = people
    conversation = direct_conversation_id(ana.pk, bob.pk)
    name = message_id(conversation.bytes, ana.pk.bytes, client_id)
    event = MessagePosted(
        id=uuid_text(name),
        client_id=client_id,
        conversation=str(conversation),
        sender="ana",
        sender_id=str(ana.pk),
        receiver="bob",
        receiver_id=str(bob.pk),
        content=content,
        sent_at="2026-11-23T20:00:00.000Z",
    )
    return DeadLetter.objects.create(
        epoch=1,
        partition=3,
        offset=offset,
        key=str(conversation).encode(),
        value=encode(event),
        judge=make_header(NEW_MESSAGE, name, ana.pk.bytes, digest(content, None)),
        reason="unknown_conversation",
        detail="there is no such conversation",
    )


def mend(people: tuple[User, User]) -> Conversation:
    return Conversation.objects.create(id=direct_conversation_id(people[0].pk, people[1].pk), kind="direct")


def test_a_retried_letter_is_stored_at_its_own_position_and_announced_by_a_change_record(
    people: tuple[User, User],
) -> None:
    letter = dead_letter(people)
    conversation = mend(people)
    retried = retry_dead_letter(letter.pk)
    message = Message.objects.get()
    assert (str(retried.position), retried.message_id) == ("1:3:7", str(message.pk))
    assert (message.epoch, message.partition, message.offset, message.seq) == (1, 3, 7, 1)
    assert (message.content, message.sender.username) == ("hi", "ana")
    promised = OutboxEntry.objects.get()
    change = KINDS.decode(bytes(promised.value))
    assert isinstance(change, MessageChanged)
    assert (change.id, change.position, bytes(promised.place)) == (
        str(message.pk),
        "1:3:7",
        str(conversation.pk).encode(),
    )
    assert judged_actor(bytes(promised.judge)) == bytes(16)  # nobody's: void by no removal of its sender since
    letter.refresh_from_db()
    assert letter.retried_at is not None


def test_a_late_message_that_becomes_the_last_one_moves_its_conversation_up_in_the_members_lists(
    people: tuple[User, User],
) -> None:
    letter, conversation = dead_letter(people), mend(people)
    for person in people:
        Marker.objects.create(conversation_id=conversation.pk, user_id=person.pk, active_at="2026-11-23T10:00:00Z")
    retry_dead_letter(letter.pk)
    sent_at = Message.objects.get().sent_at
    assert all(marker.active_at > sent_at for marker in Marker.objects.all())


def test_a_late_message_can_be_changed_once_it_is_announced(people: tuple[User, User]) -> None:
    letter = dead_letter(people)
    mend(people).members.create(user=people[0])
    message = UUID(retry_dead_letter(letter.pk).message_id).bytes
    wanted, moderators = Wanted(message, people[0].pk.bytes), Wanted(message, MODERATION.bytes)

    def may_be_changed() -> list[bool]:
        return [not read_facts([wanted])[wanted].unannounced, not read_facts_of_any([wanted])[moderators].unannounced]

    assert may_be_changed() == [False, False]
    with pytest.raises(Unavailable):
        check_facts(Edit("ho"), read_facts([wanted])[wanted], now_ms=NOW_MS, edit_window_s=0)
    with pytest.raises(Unavailable):
        check_announced(read_facts_of_any([wanted])[moderators])
    OutboxEntry.objects.update(relayed_at=timezone.now())
    assert may_be_changed() == [True, True]
    check_facts(Edit("ho"), read_facts([wanted])[wanted], now_ms=NOW_MS, edit_window_s=0)


def test_a_second_retry_changes_nothing(people: tuple[User, User]) -> None:
    letter = dead_letter(people)
    mend(people)
    assert retry_dead_letter(letter.pk) == retry_dead_letter(letter.pk)
    assert (Message.objects.count(), OutboxEntry.objects.count()) == (1, 1)


def test_a_late_message_counts_and_does_not_become_the_last_one(people: tuple[User, User]) -> None:
    late = dead_letter(people, offset=7, client_id="late")
    newer = dead_letter(people, offset=9, client_id="newer")
    mend(people)
    last = retry_dead_letter(newer.pk).message_id
    retry_dead_letter(late.pk)
    state = ConversationState.objects.get()
    assert (state.last_seq, str(state.last_message), state.last_offset) == (2, last, 9)


def test_what_still_cannot_be_stored_stays_a_dead_letter_with_nothing_promised(people: tuple[User, User]) -> None:
    unknown = dead_letter(people)
    with pytest.raises(InvalidContent):
        retry_dead_letter(unknown.pk)
    mend(people)
    nul = dead_letter(people, offset=8, client_id="nul", content="a\0b")
    with pytest.raises(InvalidContent):
        retry_dead_letter(nul.pk)
    assert (Message.objects.count(), ConversationState.objects.count(), OutboxEntry.objects.count()) == (0, 0, 0)


@pytest.mark.parametrize(
    ("standing", "error"),
    [({"active": False}, NotAMember), ({"active": True, "blocked": True}, Blocked)],
)
def test_what_was_void_when_it_was_appended_stays_void(
    people: tuple[User, User], standing: dict[str, bool], error: type[KlatschError]
) -> None:
    letter = dead_letter(people)
    conversation = mend(people)
    MembershipInterval.objects.create(
        conversation_id=conversation.pk, user_id=people[0].pk, version=2, epoch=1, partition=3, offset=5, **standing
    )
    with pytest.raises(error):
        retry_dead_letter(letter.pk)


def test_a_copy_of_what_is_archived_by_now_is_a_conflict(people: tuple[User, User]) -> None:
    first, copy = dead_letter(people, offset=7), dead_letter(people, offset=8)
    mend(people)
    retry_dead_letter(first.pk)
    with pytest.raises(Conflict):
        retry_dead_letter(copy.pk)
    assert ConversationState.objects.get().last_seq == 1


def test_there_is_no_retry_of_nothing() -> None:
    with pytest.raises(NotFound):
        retry_dead_letter(1)


def test_the_command_lists_what_waits_and_retries_it(people: tuple[User, User]) -> None:
    letter = dead_letter(people)
    said = StringIO()
    call_command("deadletters", "list", stdout=said)
    assert said.getvalue().split("\t")[1:3] == ["1:3:7", "unknown_conversation"]
    with pytest.raises(CommandError, match="1 of 1"):
        call_command("deadletters", "retry", stderr=StringIO())
    mend(people)
    call_command("deadletters", "retry", str(letter.pk), stdout=StringIO())
    said = StringIO()
    call_command("deadletters", "list", stdout=said)
    assert said.getvalue() == ""
