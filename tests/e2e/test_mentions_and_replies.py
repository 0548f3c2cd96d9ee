"""Mentions and replies through real gateways: in pushes, in answers and in the archive."""

import time

from klatsch.core.ids import uuid7
from tests.e2e.talk import Talk
from tests.support.process import PersisterProcess


def new_id() -> str:
    return uuid7(time.time_ns() // 1_000_000)


async def test_a_reply_that_mentions_its_reader_is_pushed_and_read_as_such(
    persister: PersisterProcess, talk: Talk
) -> None:
    said = await talk.say("original")
    reader = talk.people[1].username
    body = {"conversation": talk.conversation, "client_id": new_id(), "content": f"hi @{reader.upper()}."}
    answer = await talk.writer.request("send", body | {"reply_to": said.message_id})
    await talk.reader.received(body["content"])
    push = talk.reader.history.pushes("message")[-1]["d"]
    assert (push["mentions"], push["reply_to"]) == ([reader], said.message_id)
    page = await talk.api.get(f"conversations/{talk.conversation}/messages", at_least=answer["ok"]["position"])
    assert page["results"][0]["reply_preview"]["content"] == "original"
    assert page["results"][0]["mentions"] == [reader]


async def test_a_reply_to_nothing_is_not_found_and_to_a_deleted_message_gone(
    persister: PersisterProcess, talk: Talk
) -> None:
    said = await talk.say("original")
    body = {"conversation": talk.conversation, "content": "reply"}
    nothing = "00000000-0000-4000-8000-000000000000"
    answer = await talk.writer.request("send", body | {"client_id": new_id(), "reply_to": nothing})
    assert (answer["err"]["code"], answer["err"]["errors"][0]["field"]) == ("not_found", "reply_to")
    named = {"message": said.message_id, "position": said.position, "client_id": new_id()}
    assert "ok" in await talk.writer.request("delete", named)
    gone = await talk.writer.request("send", body | {"client_id": new_id(), "reply_to": said.message_id})
    assert gone["err"]["code"] == "gone"
    http = await talk.api.http.post(
        f"conversations/{talk.conversation}/messages", json={"content": "reply", "reply_to": said.message_id}
    )
    assert (http.status_code, http.json()["code"]) == (410, "gone")
