"""A group with its log, and people of each role who change it. The fixture `group` is in conftest."""

from klatsch.accounts.models import User
from klatsch.conversations import groups, queries
from klatsch.conversations.models import Member
from klatsch.core.errors import NotFound
from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from klatsch.eventlog.partitions import partition_of
from klatsch.records.members import MembersChanged
from tests.integration.archive_rows import as_sender
from tests.integration.people import make_person
from tests.support.records import members_event

PEOPLE = ("olga", "otto", "adam", "anna", "mia", "max")


class Group:
    """A group of two owners, two admins and two plain members, with its log; `zoe` is a stranger to it."""

    def __init__(self) -> None:
        self.memory = MemoryLog()
        self.log = MemoryWriter(self.memory)
        self.people = {name: make_person(name) for name in (*PEOPLE, "zoe")}
        self.id = groups.create_group(
            owner=as_sender(self["olga"]), title="Tea", usernames=["otto", "adam", "anna", "mia", "max"], log=self.log
        )
        for name, role in (("otto", "owner"), ("adam", "admin"), ("anna", "admin")):
            self.give_role("olga", name, role)

    def __getitem__(self, name: str) -> User:
        return self.people[name]

    def give_role(self, actor: str, name: str, role: str) -> None:
        groups.change_role(actor_id=self[actor].pk, conversation_id=self.id, username=name, role=role, log=self.log)

    def add(self, actor: str, name: str) -> None:
        groups.add_member(actor_id=self[actor].pk, conversation_id=self.id, username=name, log=self.log)

    def remove(self, actor: str, name: str) -> None:
        groups.remove_member(actor_id=self[actor].pk, conversation_id=self.id, username=name, log=self.log)

    def rename(self, actor: str, title: str) -> None:
        groups.update_group(actor_id=self[actor].pk, conversation_id=self.id, title=title, log=self.log)

    def dissolve(self, actor: str) -> None:
        groups.dissolve_group(actor_id=self[actor].pk, conversation_id=self.id, log=self.log)

    def member(self, name: str) -> Member:
        return Member.objects.get(conversation_id=self.id, user=self[name])

    def records(self) -> list[MembersChanged]:
        place = str(self.id).encode("ascii")
        return [members_event(r) for r in self.memory.records[partition_of(place, 12)] if r.key.endswith(place)]

    def knows(self, name: str) -> bool:
        try:
            queries.check_member(user_id=self[name].pk, conversation_id=self.id)
        except NotFound:
            return False
        return True
