"""Mutes of conversations over REST: one's own choice, which nobody else sees and which stops no message."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from klatsch.conversations.models import Member
from tests.integration.chat import NOW_MS, Chat
from tests.integration.people import problem, wrong_fields
from tests.support.rates import StoppedBuckets

pytestmark = pytest.mark.django_db
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
FOR_EVER = "9999-12-31T23:59:59.000Z"


def mute(chat: Chat, who: str, conversation: str, body: Any) -> Any:
    return chat.ask(who, "PUT", f"conversations/{conversation}/mute", body)


def muted_until(chat: Chat, who: str, conversation: str) -> Any:
    return chat.ask(who, "GET", f"conversations/{conversation}").json()["muted_until"]


def test_a_mute_has_no_end_unless_one_is_given_and_only_its_member_sees_it(chat: Chat, tea: str) -> None:
    assert muted_until(chat, "ana", tea) is None
    answer = mute(chat, "ana", tea, {})
    assert (answer.status_code, answer.json()) == (200, {"muted_until": FOR_EVER})
    assert muted_until(chat, "ana", tea) == FOR_EVER
    assert muted_until(chat, "bob", tea) is None
    [listed] = chat.ask("ana", "GET", "conversations").json()["results"]
    assert listed["muted_until"] == FOR_EVER


def test_a_mute_until_a_time_replaces_another_and_is_read_until_then(chat: Chat, tea: str) -> None:
    mute(chat, "ana", tea, {"until": None})
    later = datetime.now(UTC) + timedelta(days=1)
    answer = mute(chat, "ana", tea, {"until": later.isoformat()})
    text = later.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert (answer.status_code, answer.json()) == (200, {"muted_until": text})
    assert muted_until(chat, "ana", tea) == text
    Member.objects.filter(conversation_id=tea).update(muted_until=datetime.now(UTC) - timedelta(days=1))
    assert muted_until(chat, "ana", tea) is None


def test_the_end_that_is_read_of_an_endless_mute_can_be_written(chat: Chat, tea: str) -> None:
    assert mute(chat, "ana", tea, {"until": FOR_EVER}).json() == {"muted_until": FOR_EVER}


def test_unmuting_ends_the_mute_and_can_be_repeated(chat: Chat, tea: str) -> None:
    mute(chat, "ana", tea, {})
    for _ in range(2):
        assert chat.ask("ana", "DELETE", f"conversations/{tea}/mute").status_code == 204
    assert muted_until(chat, "ana", tea) is None


@pytest.mark.parametrize(
    "until",
    ["soon", 7, NOW.isoformat(), (NOW - timedelta(days=1)).isoformat(), (NOW + timedelta(days=3_700)).isoformat()],
)
def test_an_end_that_is_past_or_too_far_away_is_refused(chat: Chat, tea: str, until: Any) -> None:
    assert wrong_fields(mute(chat, "ana", tea, {"until": until})) == {"until": "invalid"}
    assert muted_until(chat, "ana", tea) is None


def test_what_one_is_no_member_of_cannot_be_muted(chat: Chat, tea: str) -> None:
    for method in ("PUT", "DELETE"):
        assert problem(chat.ask("zoe", method, f"conversations/{tea}/mute", {})) == (404, "not_found")
    chat.ask("ana", "DELETE", f"conversations/{tea}/members/bob")
    assert problem(mute(chat, "bob", tea, {})) == (404, "not_found")


def test_messages_go_on_and_neither_log_nor_version_knows_of_a_mute(chat: Chat, tea: str) -> None:
    size = sum(map(len, chat.log.records))
    versions = dict(Member.objects.filter(conversation_id=tea).values_list("user", "version"))
    mute(chat, "ana", tea, {})
    assert sum(map(len, chat.log.records)) == size
    assert dict(Member.objects.filter(conversation_id=tea).values_list("user", "version")) == versions
    for who in ("ana", "bob"):
        assert chat.ask(who, "POST", f"conversations/{tea}/messages", {"content": "hi"}).status_code == 201


def test_mutes_are_rate_limited(chat: Chat, tea: str) -> None:
    chat.changes = StoppedBuckets(1)
    answers = [mute(chat, "ana", tea, {}).status_code for _ in range(4)]
    assert answers[0] == 200
    assert answers[-1] == 429
    assert mute(chat, "bob", tea, {}).status_code == 200
