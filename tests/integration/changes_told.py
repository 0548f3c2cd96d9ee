"""Ana, Bob, and all that a replay from the archive tells Ana."""

from dataclasses import dataclass, field
from uuid import UUID

from klatsch.archive.changes import Asked, ChangesPage, Found, GroupState, MemberState, Place, find_changes, read_page
from klatsch.archive.models import LogOffset
from klatsch.conversations.models import Conversation, Member
from tests.integration.archive_rows import open_epoch
from tests.integration.people import make_person
from tests.support.records import ANA, BOB, COFFEE, TEA

TEA_PARTITION = 0


def make_world() -> None:
    """Puts Ana and Bob into two groups, and the archive at offset 100 everywhere."""
    open_epoch()
    for somebody in (ANA, BOB):
        make_person(somebody.name, id=somebody.id)
    for group in (TEA, COFFEE):
        Conversation.objects.create(id=group, kind="group", title="Tea")
        for somebody in (ANA, BOB):
            Member.objects.create(conversation_id=group, user_id=somebody.id)
    LogOffset.objects.bulk_create(LogOffset(epoch=1, partition=p, next_offset=100) for p in range(12))


@dataclass
class Told:
    """Collects all that is told of what was found, page by page."""

    found: Found
    pages: list[ChangesPage] = field(default_factory=list)

    def contents(self, group: UUID = TEA) -> list[str]:
        return [view.content for page in self.pages for view in page.messages if view.conversation == str(group)]

    @property
    def members(self) -> dict[str, list[MemberState]]:
        told: dict[str, list[MemberState]] = {}
        for page in self.pages:
            for name, members in page.members.items():
                told.setdefault(name, []).extend(members)
        return told

    @property
    def groups(self) -> dict[str, GroupState]:
        return {name: group for page in self.pages for name, group in page.groups.items()}


def read(
    since: int = 0,
    *,
    until: int = 100,
    groups: tuple[UUID, ...] = (TEA,),
    left: bool = False,
    each: int = 50,
    most: int = 99,
) -> Told:
    asked = [Asked(str(group), TEA_PARTITION, since, until, left) for group in groups]
    told = Told(find_changes(user_id=ANA.id, epoch=1, asked=asked, each_most=each, most=most))
    place: Place | None = Place(-1, -1)
    while place is not None:
        page = read_page(user_id=ANA.id, epoch=1, asked=told.found.asked, after=place)
        assert page.reached is None or page.reached > place
        told.pages.append(page)
        place = page.reached
    return told
