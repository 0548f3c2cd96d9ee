"""Talk with somebody from a terminal. `pip install ./clients/python` installs the library that it uses; then run
KLATSCH_TOKEN=… python examples/python_chat.py ws://localhost:8000/ws bob

What you type is sent, however long that takes; what was said while this did not run is shown when it runs again.
"""

import asyncio
import os
import sys
from pathlib import Path

from klatsch_client import Client, Refused, State

SAVED = Path("python_chat.json")


async def say(chat: Client, peer: str) -> None:
    while text := (await asyncio.to_thread(sys.stdin.readline)).strip():
        try:
            sent = await chat.send(text, to=peer)
            print("sent", sent.position, flush=True)
        except Refused as refused:
            print(refused, flush=True)
    await chat.close()


async def main(url: str, peer: str) -> None:
    state = State.from_json(SAVED.read_text()) if SAVED.exists() else State()
    async with Client(url, token=os.environ["KLATSCH_TOKEN"], state=state) as chat, asyncio.TaskGroup() as tasks:
        tasks.create_task(say(chat, peer))
        async for message in chat.messages():
            print(f"{message.sender}: {message.content}", flush=True)
            SAVED.write_text(state.to_json())  # after the message was dealt with, before the next one is asked for
    SAVED.write_text(state.to_json())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
