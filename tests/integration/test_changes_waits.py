"""Changes over REST count among all that their person's requests wait for, and take of their rate (D16)."""

import dataclasses
from typing import Any
from uuid import UUID

import pytest

from klatsch.archive.models import Message
from klatsch.archive.targets import Wanted
from klatsch.conversations.models import Conversation, Member
from klatsch.core.caps import AtOnce
from klatsch.core.errors import Unavailable
from klatsch.eventlog.log import LogError
from klatsch.messaging.applying import find_target
from klatsch.messaging.reports import Route
from tests.integration.archive_rows import open_epoch
from tests.integration.chat import Chat
from tests.integration.people import problem
from tests.support.gateway_parts import Costs

pytestmark = pytest.mark.django_db


def test_a_change_counts_with_the_other_requests_of_its_person_that_wait() -> None:
    chat = Chat()
    chat.join("ana", "bob")
    chat.waits = AtOnce(1, cap="waits", refusal=Unavailable, detail="Several of your requests wait.")
    path = "messages/00000000-0000-4000-8000-000000000000"
    with chat.waits.enter(str(chat.id_of("ana"))):
        answers = {name: chat.ask(name, "PATCH", path, {"content": "hi"}) for name in ("ana", "bob")}
    assert {name: answer.status_code for name, answer in answers.items()} == {"ana": 503, "bob": 404}


def test_a_flag_that_waits_for_the_log_counts_with_the_other_requests_of_its_person() -> None:
    open_epoch()
    chat = Chat()
    chat.join("ana", "bob")
    chat.waits = AtOnce(1, cap="waits", refusal=Unavailable, detail="Several of your requests wait.")
    path = f"conversations/{chat.make_group('ana')}/unread-from"
    with chat.waits.enter(str(chat.id_of("ana"))):
        assert chat.ask("ana", "DELETE", path).status_code == 503
    assert chat.ask("ana", "DELETE", path).status_code == 204


class SilentLog:
    """Is asked for its ends, for at most so long, while the person's requests are counted."""

    def __init__(self, waits: AtOnce) -> None:
        self.waits = waits
        self.deadlines: list[float] = []
        self.refused = 0

    def ends(self, deadline_s: float = 10.0) -> dict[int, int]:
        self.deadlines.append(deadline_s)
        try:
            with self.waits.enter(str(UUID(int=7))):
                pass
        except Unavailable:
            self.refused += 1
        raise LogError("no broker answers")


def test_who_waits_for_a_log_that_does_not_answer_is_counted_and_waits_for_seconds_only() -> None:
    """Each of a person's changes held a thread for ten seconds, however many there were."""
    waits = AtOnce(1, cap="waits", refusal=Unavailable, detail="Several of your requests wait.")
    log = SilentLog(waits)
    parts: dict[str, Any] = {field.name: None for field in dataclasses.fields(Route)}
    route = Route(**parts | {"ends": log, "waits": waits, "archive_s": 2.0})
    with pytest.raises(Unavailable):
        find_target(route, Wanted(UUID(int=1).bytes, UUID(int=7).bytes))
    assert (log.refused, log.deadlines) == (1, [3.0])


@pytest.mark.parametrize("key", ["", "a b", "x" * 65])
def test_a_change_under_a_name_that_is_none_is_refused_before_its_message_is_looked_up(key: str) -> None:
    chat = Chat()
    chat.join("ana")
    path = "messages/00000000-0000-4000-8000-000000000000"
    answer = chat.ask("ana", "PATCH", path, {"content": "hi"}, idempotency_key=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_a_reaction_that_is_a_slash_is_given_and_taken_back_like_any_other() -> None:
    open_epoch()
    chat = Chat()
    chat.join("ana", "bob")
    message = chat.ask("ana", "POST", "users/bob/messages", {"content": "and / or"}).json()["id"]
    size = sum(map(len, chat.log.records))
    for method in ("PUT", "DELETE"):
        chat.ask("bob", method, f"messages/{message}/reactions/%2F")
    assert sum(map(len, chat.log.records)) == size + 2


@pytest.mark.parametrize(
    ("method", "what", "body"),
    [("PATCH", "", {"content": "ho"}), ("DELETE", "", None), ("PUT", "/reactions/👍", None), ("DELETE", "/pin", None)],
)
def test_a_change_in_a_group_takes_as_much_of_its_makers_rate_as_a_message_to_the_group(
    method: str, what: str, body: dict[str, str] | None
) -> None:
    open_epoch()
    chat = Chat()
    chat.join("ana", "bob")
    tea = chat.make_group("ana", "bob")
    path = f"conversations/{tea}/messages"
    in_group = f"messages/{chat.ask('ana', 'POST', path, {'content': 'hi'}).json()['id']}{what}"
    between_two = f"messages/{chat.ask('ana', 'POST', 'users/bob/messages', {'content': 'hi'}).json()['id']}{what}"
    Conversation.objects.filter(pk=tea).update(member_count=5_000)
    chat.rates = tokens = Costs(0)
    size = sum(map(len, chat.log.records))
    assert problem(chat.ask("ana", "POST", path, {"content": "hi"})) == (429, "rate_limited")
    assert problem(chat.ask("ana", method, in_group, body)) == (429, "rate_limited")
    assert (tokens.taken, sum(map(len, chat.log.records))) == ([1, 250, 1, 250], size)

    chat.ask("ana", method, between_two, body)
    assert (tokens.taken[4:], sum(map(len, chat.log.records))) == ([1], size + 1)


def test_who_is_removed_while_their_change_is_on_its_way_reads_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    open_epoch()
    chat = Chat()
    chat.join("ana", "bob")
    tea = chat.make_group("ana", "bob")
    message = chat.ask("ana", "POST", f"conversations/{tea}/messages", {"content": "hi"}).json()["id"]
    size = max(map(len, chat.log.records))

    def remove_and_edit_meanwhile(partition: int, offset: int, deadline_s: float) -> bool:
        if len(chat.log.records[partition]) == size:
            return True
        Member.objects.filter(conversation_id=tea, user_id=chat.id_of("bob")).update(active=False)
        Message.objects.filter(pk=message).update(content="not for Bob")
        return False

    monkeypatch.setattr(chat, "wait_for", remove_and_edit_meanwhile)
    answer = chat.ask("bob", "PUT", f"messages/{message}/reactions/👍")
    assert problem(answer) == (403, "not_a_member")
    assert "not for Bob" not in answer.content.decode()
