"""The load of a run: bursts at random moments, each under a window, unanswered messages first."""

import asyncio
import random
import time

from faults.client import Client
from faults.person import Person
from faults.sends import Send
from faults.wishes import wish_for

_TICK_S = 0.04
_BURST = 4
_CHANGES = 0.5
"""The part of the bursts after which the client also changes a message."""
_MARKS = 0.3
"""The part of the bursts after which the client marks one of the newest messages as read, perhaps an older one."""
_NAMES = 0.1
"""The part of the messages that mention somebody."""


class Load:
    """Sends `per_second` messages in total while all is well; sends that a fault delayed are not made up for."""

    def __init__(self, speakers: list[Client], per_second: float) -> None:
        self.is_on = True
        self._each_s = _BURST * len(speakers) / per_second
        self._said = 0

    async def speak(self, client: Client) -> None:
        """Sends for as long as the run continues; without new messages once `is_on` is False."""
        next_burst = time.monotonic() + random.uniform(0, self._each_s)
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.monotonic()
            while client.is_ready and (again := client.sends.due(now)) is not None:
                await client.say(again)
            if self.is_on and now >= next_burst:
                next_burst = now + random.expovariate(1 / self._each_s)
                await self.burst(client)
                await self._change(client)
                await self._mark(client)

    async def _change(self, client: Client) -> None:
        """Changes one of the newest messages, unless an earlier change is unanswered."""
        if not client.is_ready or client.sends.is_full or client.sends.has_change or random.random() > _CHANGES:
            return
        self._said += 1
        change = wish_for(client, self._said)
        if change is not None:
            await client.say(change)

    async def _mark(self, client: Client) -> None:
        if client.is_ready and client.view.recent and random.random() < _MARKS:
            shown = client.view.messages.get(random.choice(client.view.recent))
            if shown is not None:
                await client.mark(shown.conversation, shown.position)

    async def burst(self, client: Client) -> None:
        """Sends some new messages at once, within the window."""
        for _ in range(random.randint(1, 2 * _BURST - 1)):
            if not client.is_ready or client.sends.is_full:
                return
            self._said += 1
            await client.say(self._message(client.person))

    def _message(self, person: Person) -> Send:
        conversation = random.choice(person.conversations)
        peers = person.peers[conversation]
        named = [random.choice(peers)] if random.random() < _NAMES else []
        text = " ".join([str(self._said), *(f"@{name}" for name in named), "x" * random.randint(0, 200)])
        return Send(conversation, text, named)
