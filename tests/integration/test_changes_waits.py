"""Changes over REST count among all that their person's requests wait for (D16)."""

import pytest

from klatsch.core.caps import AtOnce
from klatsch.core.errors import Unavailable
from tests.integration.chat import Chat

pytestmark = pytest.mark.django_db


def test_a_change_counts_with_the_other_requests_of_its_person_that_wait() -> None:
    chat = Chat()
    chat.join("ana", "bob")
    chat.waits = AtOnce(1, cap="waits", refusal=Unavailable, detail="Several of your requests wait.")
    path = "messages/00000000-0000-4000-8000-000000000000"
    with chat.waits.enter(str(chat.id_of("ana"))):
        answers = {name: chat.ask(name, "PATCH", path, {"content": "hi"}) for name in ("ana", "bob")}
    assert {name: answer.status_code for name, answer in answers.items()} == {"ana": 503, "bob": 404}
