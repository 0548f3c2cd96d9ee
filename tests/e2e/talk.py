"""Two people in a conversation, and as many such pairs as a fault needs for a load."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.e2e.client import Attempt, Client
from tests.e2e.histories import Row, check
from tests.e2e.rest import Rest
from tests.support.process import GatewayProcess
from tests.support.system import Person, System

Open = Callable[..., Awaitable[Client]]
OpenRest = Callable[[GatewayProcess, Person], Rest]
_AGAIN = {"unknown", "unavailable", "rate_limited"}
_BACK_OFF_S = 0.1


@dataclass(slots=True)
class Talk:
    """A conversation of two: `writer` has made it and writes, `reader` reads on the other gateway."""

    system: System
    people: tuple[Person, Person]
    writer: Client
    reader: Client
    api: Rest
    conversation: str
    token: str
    """The reader's mark from before the first message."""

    async def say(self, content: str) -> Attempt:
        """Says it until it is acknowledged: again under the same name, where the gateway says that this may help."""
        attempt = await self.writer.send(content, conversation=self.conversation)
        while attempt.code in _AGAIN:
            await asyncio.sleep(_BACK_OFF_S)  # a client's own patience
            attempt = await self.writer.send(content, conversation=self.conversation, client_id=attempt.client_id)
        return attempt

    @property
    def acknowledged(self) -> int:
        return sum(attempt.ok is not None for attempt in self.writer.history.attempts)

    async def check(self, *, for_a_while: Sequence[Client] = ()) -> list[Row]:
        """Returns the archive's rows, once all is archived and shown; fails where what anybody saw contradicts them.

        Where the writer's connection was lost, the first of those `for_a_while` has taken its place.
        """
        clients, writer = [self.reader], self.writer
        if self.writer.closed is None:
            clients.append(self.writer)
        else:
            for_a_while, writer = [*for_a_while, self.writer], for_a_while[0]
        last = await writer.send("the last one", conversation=self.conversation)
        assert last.ok, last
        await self.reader.received("the last one")
        rows = await asyncio.to_thread(check, self.system, self.conversation, *clients, for_a_while=for_a_while)
        history = await self.api.history(f"conversations/{self.conversation}/messages")
        assert [(m["id"], m["client_id"], m["content"], m["position"], m["seq"]) for m in history] == rows
        return rows


async def start_talk(
    system: System, gateways: tuple[GatewayProcess, GatewayProcess], connect: Open, rest: OpenRest
) -> Talk:
    """Makes a conversation of two people who have never met."""
    ana, bob = system.take_people(2)
    writer, reader = await connect(gateways[0], ana), await connect(gateways[1], bob)
    token = str(reader.token)
    await writer.send("first", to=bob.username)
    await reader.received("first")
    conversation = str(reader.history.messages[0]["conversation"])
    return Talk(system, (ana, bob), writer, reader, rest(gateways[1], bob), conversation, token)


@contextlib.asynccontextmanager
async def talking(talks: Sequence[Talk]) -> AsyncIterator[None]:
    """Lets all of them talk without a pause, each waiting for its answer; at the end what was begun is finished."""
    done = asyncio.Event()

    async def go_on(talk: Talk) -> None:
        number = 0
        while not done.is_set():
            number += 1
            assert (await talk.say(f"text {number}")).ok

    async with asyncio.TaskGroup() as group:
        for talk in talks:
            group.create_task(go_on(talk))
        try:
            yield
        finally:
            done.set()


async def more_acknowledged(talks: Sequence[Talk], count: int, deadline_s: float = 60) -> None:
    """Waits until each has so many more answers than now."""
    targets = [talk.acknowledged + count for talk in talks]
    for talk, target in zip(talks, targets, strict=True):
        await talk.writer.until(lambda t=talk, n=target: t.acknowledged >= n, f"{count} more answers", deadline_s)  # type: ignore[misc]  # bound as defaults
