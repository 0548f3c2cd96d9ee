"""Klatsch as one of the systems that pairs talk over, on the running `make up` and on more processes of its own."""

import time
from collections.abc import Mapping, Sequence

from bench.archive import count_archived, wait_archived
from bench.client import Socket, connect_all
from bench.people import BenchPerson, make_people
from bench.processes import HOST, OwnProcess
from bench.systems import TEXT, OpenPair


class KlatschDialect:
    """`send` frames to a person, with client ids that are UUIDv7s made of the time and the number."""

    def __init__(self, to: str) -> None:
        self._to = to.encode()
        self._text = TEXT.encode()

    def send(self, a: Socket, number: int) -> None:
        now = int(time.time() * 1000)
        client_id = f"{now >> 16:08x}-{now & 0xFFFF:04x}-7000-8000-{number:012x}"
        a.send(
            b'{"id":%d,"op":"send","d":{"to":"%b","client_id":"%b","content":"%b"}}'
            % (number, self._to, client_id.encode(), self._text)
        )

    def answer(self, payload: bytes) -> int:
        if not payload.startswith(b'{"re":'):
            return 0
        end = payload.index(b",", 6)
        number = int(payload[6:end])
        return number if payload.startswith(b',"ok"', end) else -number

    def delivery(self, payload: bytes) -> int:
        if not payload.startswith(b'{"t":"message"'):
            return 0
        at = payload.index(b'"client_id":"') + 13
        return int(payload[at + 24 : at + 36], 16)


class Klatsch:
    """The running `make up`, with `gateways` and `persisters` in all: those beyond the first are started here.

    With more than one gateway, another one has no connections: its CPU is the cost of records of no interest.
    """

    name = "klatsch"
    kinds: Sequence[str] = ("gateway", "persister", "kafka", "postgres", "embedded", "bystander")
    keeps = "log and archive"

    def __init__(
        self, address: tuple[str, int], gateways: int = 1, persisters: int = 1, env: Mapping[str, str] | None = None
    ) -> None:
        self._env = env
        self._addresses = [address]
        self._gateways = [OwnProcess("gateway") for _ in range(gateways - 1)]
        self._bystander = OwnProcess("gateway") if gateways > 1 else None
        self._persisters = [OwnProcess("persister") for _ in range(persisters - 1)]
        self._people: list[BenchPerson] = []

    def start(self) -> None:
        for process in self._own():
            process.start()
        self._addresses += [(HOST, gateway.port) for gateway in self._gateways]

    def stop(self) -> None:
        for process in self._own():
            process.end()

    def settings(self) -> Mapping[str, str]:
        return {"gateways": str(len(self._addresses)), "persisters": str(1 + len(self._persisters))}

    def processes(self) -> Mapping[int, str]:
        return {self._bystander.pid: "bystander"} if self._bystander else {}

    async def open_pairs(self, count: int) -> Sequence[OpenPair]:
        people = self._people = make_people(2 * count, self._env)
        sockets = await connect_all(self._addresses, [person.token for person in people])
        return [
            OpenPair(sockets[i], sockets[i + 1], KlatschDialect(people[i + 1].username))
            for i in range(0, len(people), 2)
        ]

    def wait_archived(self, expected: int) -> None:
        wait_archived(self.usernames(), expected)

    def count_archived(self) -> int | None:
        return count_archived(self.usernames())

    def usernames(self) -> list[str]:
        """Returns the people of all pairs."""
        return [person.username for person in self._people]

    def _own(self) -> list[OwnProcess]:
        return [*self._gateways, *([self._bystander] if self._bystander else []), *self._persisters]
