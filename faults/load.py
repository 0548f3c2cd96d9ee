"""What everybody says all the time: bursts at random moments, each under a window, with what had no answer first."""

import asyncio
import random
import time

from faults.client import Client
from faults.sends import Send

_TICK_S = 0.04
_BURST = 4


class Load:
    """`per_second` over all who speak, while all is well; nothing is made up for what a fault held up."""

    def __init__(self, speakers: list[Client], per_second: float) -> None:
        self.is_on = True
        self._each_s = _BURST * len(speakers) / per_second
        self._said = 0

    async def speak(self, client: Client) -> None:
        """For as long as the run goes on; without new things once `is_on` is taken back."""
        next_burst = time.monotonic() + random.uniform(0, self._each_s)
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.monotonic()
            while client.is_ready and (again := client.sends.due(now)) is not None:
                await client.say(again)
            if self.is_on and now >= next_burst:
                next_burst = now + random.expovariate(1 / self._each_s)
                await self.burst(client)

    async def burst(self, client: Client) -> None:
        """Some new things at once, as far as its window goes."""
        for _ in range(random.randint(1, 2 * _BURST - 1)):
            if not client.is_ready or client.sends.is_full:
                return
            self._said += 1
            text = f"{self._said} {'x' * random.randint(0, 200)}"
            await client.say(Send(random.choice(client.person.conversations), text))
