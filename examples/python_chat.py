"""Talk with somebody from a terminal. `pip install ./clients/python` installs the library that it uses; then run
KLATSCH_TOKEN=… python examples/python_chat.py ws://localhost:8000/ws bob

What you type is sent, however long that takes; what was said while this did not run is shown when it runs again.
`/edit text` gives the last message that you have sent another text, and `/delete` deletes it.
"""

import asyncio
import os
import sys
from pathlib import Path

from klatsch_client import Client, Deleted, Edited, Message, Refused, Sent, State

SAVED = Path("python_chat.json")


async def say(chat: Client, peer: str) -> None:
    last: Sent | None = None
    while text := (await asyncio.to_thread(sys.stdin.readline)).strip():
        try:
            if last is not None and text.startswith("/edit "):
                await chat.edit(last, text.removeprefix("/edit "))
            elif last is not None and text == "/delete":
                await chat.delete(last)
            else:
                last = await chat.send(text, to=peer)
                print("sent", last.position, flush=True)
        except Refused as refused:
            print(refused, flush=True)
    await chat.close()


async def main(url: str, peer: str) -> None:
    state = State.from_json(SAVED.read_text()) if SAVED.exists() else State()
    async with Client(url, token=os.environ["KLATSCH_TOKEN"], state=state) as chat, asyncio.TaskGroup() as tasks:
        tasks.create_task(say(chat, peer))
        async for event in chat.events():
            match event:
                case Message():
                    print(f"{event.sender}: {event.content}", flush=True)
                case Edited():
                    print(f"{event.by} has edited: {event.content}", flush=True)
                case Deleted():
                    print(f"{event.by} has deleted a message", flush=True)
            SAVED.write_text(state.to_json())  # after the event was dealt with, before the next one is asked for
    SAVED.write_text(state.to_json())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
