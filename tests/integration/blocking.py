"""Blocks over REST, as the tests ask for them, and what the log tells of them."""

from typing import Any

import pytest

from klatsch.records.members import Membership
from tests.integration.chat import Chat
from tests.support.records import members_event

pytestmark = pytest.mark.django_db


def block(chat: Chat, who: str, username: str) -> None:
    answer = chat.ask(who, "PUT", f"blocks/{username}")
    assert answer.status_code == 204, answer.content


def unblock(chat: Chat, who: str, username: str) -> None:
    assert chat.ask(who, "DELETE", f"blocks/{username}").status_code == 204


def write(chat: Chat, who: str, to: str) -> Any:
    return chat.ask(who, "POST", f"users/{to}/messages", {"content": "hi"})


def told(chat: Chat) -> list[list[Membership]]:
    """Returns the memberships of each record in the log that tells of a direct conversation's."""
    records = [record for partition in chat.log.records for record in partition if record.key.startswith(b"members:")]
    return [event.members for event in map(members_event, records) if event.kind == "direct"]
