"""The REST side of a chat for tests: clients, a log in memory, and an archive that is filled when asked."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.test import Client

from klatsch.accounts.models import User
from klatsch.accounts.queries import Person
from klatsch.api.ports import Ports
from klatsch.archive.models import Message
from klatsch.conversations.access import Access
from klatsch.core.bucket import Buckets
from klatsch.core.caps import AtOnce
from klatsch.core.errors import NotArchivedYet, Unavailable
from klatsch.eventlog.log import Record
from klatsch.eventlog.memory import MemoryLog, MemoryTail, MemoryWriter
from klatsch.messaging.marking import Marking
from klatsch.records.kinds import KINDS, MESSAGE
from klatsch.records.messages import MessagePosted
from tests.integration.archive_rows import PARTITIONS, archive, archive_up_to
from tests.integration.people import bearer, make_person

NOW_MS = 1_795_000_000_000


class Chat:
    """Answers requests as one api process would. While `archiving`, each record that is waited for is archived.

    With `archived` nothing has to be done for that any more, so that what a request costs can be counted.
    """

    epoch = 1

    def __init__(self) -> None:
        self.log = MemoryLog(PARTITIONS)
        self.writer = MemoryWriter(self.log)
        self.rates = Buckets(0)
        self.changes = Buckets(0)
        self.waits = AtOnce(0, cap="waits", refusal=Unavailable, detail="Several of your requests wait.")
        self.marking = Marking(self.writer, shown_most=20)
        self.archiving = True
        self.archived = False
        self.asked_for: list[str] = []
        self.people: dict[str, tuple[User, dict[str, str]]] = {}

    def join(self, *usernames: str) -> None:
        for username in usernames:
            person = make_person(username)
            self.people[username] = (person, bearer(person))

    def id_of(self, username: str) -> UUID:
        user_id: UUID = self.people[username][0].pk
        return user_id

    @property
    def ports(self) -> Ports:
        """Returns what a request needs beside the database."""
        return Ports(
            self.writer,
            MemoryTail(self.log),
            self,
            lambda: NOW_MS,
            self.rates,
            self.changes,
            self.waits,
            0,
            self.marking,
        )

    def ask(self, username: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Makes somebody's request under /api/v1/; headers as `idempotency_key`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()} | self.people[username][1]
        return Client().generic(
            method,
            path if path.startswith("http") else f"/api/v1/{path}",
            "" if body is None else body if isinstance(body, (str, bytes)) else json.dumps(body),
            content_type="application/json",
            headers=named,
            **{"klatsch.ports": self.ports},  # type: ignore[arg-type]  # a WSGI environ may hold anything
        )

    def make_group(self, owner: str, *members: str) -> str:
        made = self.ask(owner, "POST", "conversations", {"title": "Tea", "members": members})
        assert made.status_code == 201, made.content
        group_id: str = made.json()["id"]
        return group_id

    def messages(self) -> list[Record]:
        return [record for partition in self.log.records for record in partition if (KINDS.find(record) is MESSAGE)]

    def wait_for(self, partition: int, offset: int, deadline_s: float) -> bool:
        if self.archiving and not self.archived:
            for record in self.log.records[partition][: offset + 1]:
                self._archive(record)
            archive_up_to(partition, offset + 1)
        return self.archiving

    def wait_for_position(self, at_least: str, deadline_s: float) -> None:
        self.asked_for.append(at_least)
        if not self.archiving:
            raise NotArchivedYet("not yet", retry_after=1)

    @staticmethod
    def _archive(record: Record) -> None:
        event = KINDS.decode(record.value)
        if not isinstance(event, MessagePosted) or Message.objects.filter(pk=event.id).exists():
            return
        access = Access.of(
            conversation=UUID(event.conversation),
            kind="group" if event.receiver is None else "direct",
            sender=Person(UUID(event.sender_id), event.sender),
            receiver=Person(UUID(event.receiver_id), event.receiver) if event.receiver and event.receiver_id else None,
        )
        archive(access, event.content, offset=record.offset, client_id=event.client_id)


def read_pages(ask: Callable[[str], Any], path: str) -> list[list[dict[str, Any]]]:
    """Returns all pages of a list, by following `next`."""
    pages: list[list[dict[str, Any]]] = []
    address: str | None = path
    while address:
        answer = ask(address)
        assert answer.status_code == 200, answer.content
        pages.append(answer.json()["results"])
        address = answer.json()["next"]
    return pages
