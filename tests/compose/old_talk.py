"""Two people talk through the client library that is on the path, until the standard input ends.

`python -m tests.compose.old_talk ADDRESS PEOPLE`, with the older library first on PYTHONPATH. Prints how many messages
were acknowledged, line by line, and at the end all of them. Fails where one was not told, or told twice or too early.
"""

import asyncio
import json
import sys
from dataclasses import dataclass

from tests.compose.talk import Conversation, talking

_TELL_S = 0.2


@dataclass(frozen=True, slots=True)
class Address:
    """An installation behind its proxy."""

    url: str

    @property
    def socket_url(self) -> str:
        return f"ws{self.url.removeprefix('http')}/ws"


async def main(url: str, people: str) -> None:
    ana, bob = json.loads(people)
    async with talking(Address(url), ana, bob) as talk:
        telling = asyncio.create_task(_tell(talk))
        await asyncio.to_thread(sys.stdin.read)
        telling.cancel()
    _print(talk.acknowledged)


async def _tell(talk: Conversation) -> None:
    while True:
        _print(len(talk.acknowledged))
        await asyncio.sleep(_TELL_S)


def _print(said: int | list[str]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
