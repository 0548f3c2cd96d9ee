"""A group whose members are changed by several at once."""

from uuid import UUID

from klatsch.conversations import groups
from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from tests.integration.archive_rows import as_sender
from tests.integration.people import make_person
from tests.support.records import members_event


class Race:
    """A group of ana and bob, both owners; zoe is not in it."""

    def __init__(self) -> None:
        self.memory = MemoryLog()
        self.log = MemoryWriter(self.memory)
        self.people = {name: make_person(name) for name in ("ana", "bob", "zoe")}
        self.group = groups.create_group(
            owner=as_sender(self.people["ana"]), title="Tea", usernames=["bob"], log=self.log
        )
        groups.change_role(
            actor_id=self.id_of("ana"), conversation_id=self.group, username="bob", role="owner", log=self.log
        )

    def id_of(self, name: str) -> UUID:
        user_id: UUID = self.people[name].pk
        return user_id

    def add(self, actor: str, name: str) -> None:
        groups.add_member(actor_id=self.id_of(actor), conversation_id=self.group, username=name, log=self.log)

    def remove(self, actor: str, name: str) -> None:
        groups.remove_member(actor_id=self.id_of(actor), conversation_id=self.group, username=name, log=self.log)

    def versions_told(self, name: str) -> list[int]:
        records = [record for partition in self.memory.records for record in partition]
        return [one.version for record in records for one in members_event(record).members if one.user == name]
