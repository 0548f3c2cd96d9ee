"""The client library's view against real gateways: with edits, deletions, reactions, pins, markers and signals."""

import asyncio
import contextlib
import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from klatsch_client import Client, Conflict, Done, Gone, Message, Refused, State, View
from tests.e2e.conftest import OpenRest
from tests.e2e.readers import cut, open_client, wait_for_news
from tests.support.process import GatewayProcess, PersisterProcess
from tests.support.system import Person, System

pytestmark = pytest.mark.usefixtures("no_proxy")


@dataclass(slots=True)
class Someone:
    """Somebody's application: a view, and a loop that takes events."""

    person: Person
    other: Person
    view: View = field(default_factory=View)
    saved: str = field(default_factory=lambda: State().to_json())
    news: asyncio.Event = field(default_factory=asyncio.Event)
    done: int = 0
    refused: list[str] = field(default_factory=list)

    def on(self, gateway: GatewayProcess) -> contextlib.AbstractAsyncContextManager[Client]:
        """Connects a client with what was saved last."""
        return open_client(gateway, self.person, self, view=self.view)

    async def read(self, chat: Client) -> None:
        async for _ in chat.events():
            self.saved = chat.state.to_json()
            self.news.set()

    @property
    def conversation(self) -> str:
        return self.view.direct(self.other.username) or ""

    async def until(self, condition: Any, what: str) -> None:
        await wait_for_news(self.news, condition, lambda: what)

    async def change(self, chat: Client, chance: random.Random, number: int) -> None:
        """Sends, or changes some message: what is gone meanwhile is no failure."""
        messages = self.view.messages(self.conversation)[-20:]
        if not messages or chance.random() < 1 / 3:
            await chat.send(f"{number} of {self.person.username}", to=self.other.username)
            return
        message = chance.choice(messages)
        mine = message.sender == self.person.username
        makes = [
            lambda: chat.react(message, chance.choice("👍🎉"), on=chance.random() < 2 / 3),
            lambda: chat.pin(message, on=chance.random() < 1 / 2),
        ]
        makes += [
            lambda: chat.edit(message, f"{number}, edited"),
            lambda: chat.edit(message, "x", base=message.changed),
        ] * mine
        makes += [lambda: chat.delete(message)] * (mine and chance.random() < 1 / 4)
        try:
            await chance.choice(makes)()
        except Refused as refused:
            self.refused.append(refused.code)

    async def go_on(self, chat: Client, until: asyncio.Event, seed: int) -> None:
        """Changes this and that, several at once, until it is over."""
        chance = random.Random(seed)
        number = 0
        while not until.is_set():
            number += 1
            await self.change(chat, chance, number)
            self.done += 1
            self.news.set()


def shown(messages: list[Message]) -> list[dict[str, Any]]:
    """Returns what a reader of the archive must have too: without what the client guesses of its own edits."""
    return [
        {
            "id": one.id,
            "position": str(one.position),
            "content": one.content,
            "deleted": one.deleted,
            "reactions": dict(one.reactions),
            "counts": dict(one.reaction_counts),
            "pinned": one.pinned_at is not None,
            "pending": one.pending,
        }
        for one in messages
    ]


@pytest.mark.timeout(240)  # starts gateways under load, beside whatever else runs
async def test_after_faults_what_each_has_in_view_is_the_archives_state(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    ana: Person,
    bob: Person,
    rest: OpenRest,
) -> None:
    anas, bobs, over = Someone(ana, bob), Someone(bob, ana), asyncio.Event()

    async def more(count: int, *people: Someone) -> None:
        for one, target in [(one, one.done + count) for one in people]:
            await one.until(lambda o=one, t=target: o.done >= t, f"{count} more")

    async with anas.on(gateway_a) as one, bobs.on(gateway_b) as other:
        async with asyncio.TaskGroup() as group:
            for seed in range(3):
                group.create_task(anas.go_on(one, over, seed))
                group.create_task(bobs.go_on(other, over, seed + 10))
            await more(25, anas, bobs)
            cut(one)
            await more(25, anas, bobs)
            gateway_a.kill()
            await more(25, bobs)
            cut(other)
            await asyncio.to_thread(gateway_a.start)
            await more(25, anas, bobs)
            over.set()
        last = await one.send("the last one", to=bob.username)
        marks = [await chat.react(last, "👍") for chat in (one, other)]
        await asyncio.to_thread(system.wait_archived)
        rows = await rest(gateway_b, bob).history(f"conversations/{anas.conversation}/messages")
        expected = shown([Message.read(row) for row in rows])
        assert expected[-1]["reactions"] == {"👍": [ana.username, bob.username]}
        for someone in (anas, bobs):
            is_there = lambda s=someone: shown(s.view.messages(s.conversation))[-1:] == expected[-1:]  # noqa: E731
            await someone.until(is_there, "the last reaction")
            assert shown(someone.view.messages(someone.conversation)) == expected
        assert all(isinstance(mark, Done) for mark in marks)
        assert not one.state.unfinished
        assert not other.state.unfinished
    assert len(rows) > 40
    assert set(anas.refused + bobs.refused) <= {"gone", "conflict", "limit_reached"}
    assert sum(row["deleted"] for row in expected) > 0


async def test_outcomes_of_changes_are_typed_and_a_retry_of_a_restored_state_is_the_same_change(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    ana: Person,
    bob: Person,
) -> None:
    anas, bobs = Someone(ana, bob), Someone(bob, ana)
    async with anas.on(gateway_a) as one, bobs.on(gateway_b) as other:
        sent = await one.send("helo @" + bob.username, to=bob.username)
        await bobs.until(lambda: bobs.view.message(sent.id), "the message")
        seen = bobs.view.message(sent.id)
        assert seen is not None
        done = await one.edit(sent, "hello", client_id="an-edit")
        await bobs.until(lambda: _content(bobs, sent.id) == "hello", "the edit")
        with pytest.raises(Conflict) as conflict:
            await one.edit(sent, "HELLO", base=sent.position)
        assert conflict.value.changed == done.position
        again = await one.edit(sent, "hello", client_id="an-edit")
        assert (again.position, again.duplicate) == (done.position, True)
        with pytest.raises(Refused) as forbidden:
            await other.edit(seen, "yours")
        assert forbidden.value.code == "forbidden"
        assert _content(bobs, sent.id) == "hello"
        await one.delete(sent)
        with pytest.raises(Gone):
            await other.react(seen, "👍")
        await bobs.until(lambda: _content(bobs, sent.id) == "", "the deletion")
        assert _content(anas, sent.id) == ""
        with pytest.raises(Refused) as missing:
            await other.pin(replace(seen, id="0" * 8 + seen.id[8:]))
        assert missing.value.code == "not_found"


def _content(someone: Someone, message_id: str) -> str | None:
    message = someone.view.message(message_id)
    return None if message is None else message.content


async def test_markers_typing_and_presence_come_to_the_other_and_presence_comes_back_with_the_connection(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    ana: Person,
    bob: Person,
) -> None:
    anas, bobs = Someone(ana, bob), Someone(bob, ana)
    async with anas.on(gateway_a) as one, bobs.on(gateway_b) as other:
        sent = await one.send("hi", to=bob.username)
        await bobs.until(lambda: bobs.conversation, "the conversation")
        conversation = bobs.conversation
        other.mark(conversation, read=sent.position, delivered=sent.position)
        await anas.until(lambda: _read(anas, conversation, bob) == sent.position, "bob's marker")
        await bobs.until(lambda: not other.state.unfinished, "the answer to the mark")
        assert _read(bobs, conversation, bob) == sent.position
        one.open([conversation])
        one.presence([bob.username])
        await anas.until(lambda: anas.view.is_online(bob.username), "that bob is there")
        other.typing(conversation)
        await anas.until(lambda: anas.view.typing(conversation) == [bob.username], "that bob types")
        cut(one)
        await anas.until(lambda: one.status.state == "open" and anas.view.is_online(bob.username), "bob again")
        other.typing(conversation, on=False)
        other.typing(conversation)
        await anas.until(lambda: anas.view.typing(conversation) == [bob.username], "that bob types again")


def _read(someone: Someone, conversation: str, person: Person) -> object:
    marker = someone.view.markers(conversation).get(person.username)
    return None if marker is None else marker.read
