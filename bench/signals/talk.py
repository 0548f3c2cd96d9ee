"""One person who writes to another at a steady rate, and how long each answer takes."""

import asyncio
import threading
import time

import uvloop

from bench.client import Socket, connect
from bench.crew import until
from bench.people import BenchPerson

_DRAIN_S = 10.0


class Talk:
    """Sends in a thread of its own; `answers` holds when each was sent, and the seconds until its answer."""

    def __init__(self, host: str, port: int, people: tuple[BenchPerson, BenchPerson], per_second: float) -> None:
        self._address = (host, port)
        self._people = people
        self._per_second = per_second
        self._ending = threading.Event()
        self._sent: dict[int, float] = {}
        self.answers: list[tuple[float, float]] = []
        self.refused = 0
        self._thread = threading.Thread(target=lambda: uvloop.run(self._run()))
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        self._thread.join()

    async def _run(self) -> None:
        writer = await connect(*self._address, self._people[0].token)
        reader = await connect(*self._address, self._people[1].token)
        writer.on_text = self._take
        reader.on_text = lambda _payload: None
        number, began = 0, time.monotonic()
        while not self._ending.is_set():
            number += 1
            await asyncio.sleep(max(0.0, began + number / self._per_second - time.monotonic()))
            self._say(writer, number)
        await until(lambda: not self._sent, _DRAIN_S)

    def _say(self, writer: Socket, number: int) -> None:
        now = int(time.time() * 1000)
        client_id = f"{now >> 16:08x}-{now & 0xFFFF:04x}-7000-8000-{number:012x}"
        self._sent[number] = time.monotonic()
        writer.send(
            b'{"id":%d,"op":"send","d":{"to":"%b","client_id":"%b","content":"hi"}}'
            % (number, self._people[1].username.encode(), client_id.encode())
        )

    def _take(self, payload: bytes) -> None:
        if not payload.startswith(b'{"re":'):
            return
        sent = self._sent.pop(int(payload[6 : payload.index(b",", 6)]), None)
        if b'"ok"' not in payload:
            self.refused += 1
        elif sent is not None:
            self.answers.append((sent, time.monotonic() - sent))
