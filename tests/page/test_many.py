"""With 10,000 conversations the first screen costs at most 1.2 times what it costs with 10, in bytes and in time."""

import statistics
from typing import Any, Final

import psycopg
import pytest
from playwright.sync_api import expect

from tests.page.people import People
from tests.page.site import Member, Site

_FEW: Final = 10
_MANY: Final = 10_000
_MOST: Final = 1.2
_TURNS: Final = 7
_FILL: Final = """
    CREATE TEMPORARY TABLE made ON COMMIT DROP AS
        SELECT gen_random_uuid() AS id, i FROM generate_series(1, %(count)s) i;
    INSERT INTO conversations_conversation (id, kind, title, created_at)
        SELECT id, 'group', 'Group ' || i, now() FROM made;
    INSERT INTO conversations_member (conversation_id, user_id, role, active, version, joined_at)
        SELECT id, %(user)s, 'owner', true, 1, now() FROM made;
    INSERT INTO messaging_message (id, client_id, conversation_id, sender_id, content, sent_at, epoch, partition,
        "offset", changed_epoch, changed_offset, seq, digest, deleted, reactions)
        SELECT gen_random_uuid(), i::text, id, %(user)s, 'content ' || i, now() - i * interval '1 minute', 0, 0, i, 0,
            i, 1, '', false, '{}' FROM made;
    INSERT INTO messaging_conversationstate
        (conversation_id, last_seq, last_message, last_sent_at, epoch, partition, last_offset)
        SELECT made.id, 1, message.id, sent_at, 0, 0, "offset" FROM made JOIN messaging_message message
            ON message.conversation_id = made.id;
    ANALYZE conversations_conversation, conversations_member, messaging_message, messaging_conversationstate
"""


def join(site: Site, member: Member, count: int) -> None:
    """Makes somebody a member of so many groups with a message each."""
    values = {"user": member.ask("GET", "me")["id"], "count": count}
    with psycopg.connect(site.system.env["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        for statement in _FILL.split(";\n"):
            cursor.execute(statement.encode(), values)


class Visits:
    """Measures first visits of a person: what each costs until the list is on the screen and nothing more comes."""

    def __init__(self, people: People, member: Member) -> None:
        self.people = people
        self.member = member
        self.asked: list[str] = []
        self.bytes: list[float] = []
        self.ms: list[float] = []

    def visit(self) -> None:
        person = self.people.person(self.member)
        session = person.context.new_cdp_session(person.page)
        session.send("Network.enable")
        taken: list[float] = []
        finished: Any = taken
        asked: Any = self.asked
        session.on("Network.loadingFinished", lambda event: finished.append(event["encodedDataLength"]))
        session.on("Network.requestWillBeSent", lambda event: asked.append(event["request"]["url"]))
        page = person.open("/")
        expect(page.locator("k-list li").first).to_be_visible()
        self.ms.append(page.evaluate("performance.getEntriesByName('klatsch.list')[0].startTime"))
        page.wait_for_load_state("networkidle")
        self.bytes.append(sum(taken))
        person.context.close()
        self.people.opened.remove(person)


@pytest.fixture
def visits(site: Site, people: People) -> tuple[Visits, Visits]:
    members = (site.register(), site.register())
    for member, count in zip(members, (_FEW, _MANY), strict=True):
        join(site, member, count)
    few, many = members
    return Visits(people, few), Visits(people, many)


def test_the_first_screen_costs_as_much_with_10000_conversations_as_with_10(visits: tuple[Visits, Visits]) -> None:
    few, many = visits
    for _ in range(_TURNS):
        for one in visits:
            one.visit()
    assert statistics.median(many.bytes) <= _MOST * statistics.median(few.bytes)
    assert statistics.median(many.ms) <= _MOST * statistics.median(few.ms)


def test_the_answer_that_came_while_the_modules_loaded_is_the_one_that_is_shown(visits: tuple[Visits, Visits]) -> None:
    few, _ = visits
    few.visit()
    first_pages = [url for url in few.asked if "/conversations?limit=" in url and "at_least" not in url]
    assert len(first_pages) == 1


def test_10000_conversations_are_scrolled_with_few_rows_in_the_document(site: Site, people: People) -> None:
    member = site.register()
    join(site, member, _MANY)
    page = people.person(member).open("/")
    rows = page.locator("k-list li")
    expect(rows.first).to_be_visible()
    for number in (60, 120, 180):
        page.wait_for_function(
            """(wanted) => {
                const scroller = document.querySelector('.list-scroll');
                scroller.scrollTop = scroller.scrollHeight;
                const names = [...document.querySelectorAll('.row-name')].map((name) => name.textContent);
                return names.includes(`Group ${wanted}`);
            }""",
            arg=number,
        )
        assert rows.count() <= 40
