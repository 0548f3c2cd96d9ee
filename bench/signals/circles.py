"""Groups whose members show each other's presence, made by SQL: thousands of memberships need no history."""

import os
import uuid
from collections.abc import Sequence

import psycopg

from bench.people import BenchPerson


def make_circles(people: Sequence[BenchPerson], size: int) -> list[list[BenchPerson]]:
    """Returns the people in groups of `size`, each of which is a conversation of theirs."""
    circles = [list(people[begin : begin + size]) for begin in range(0, len(people), size)]
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        for circle in circles:
            group = uuid.uuid4()
            connection.execute(
                "INSERT INTO conversations_conversation (id, kind, title, created_at, member_count) "
                "VALUES (%s, 'group', 'bench', now(), %s)",
                (group, len(circle)),
            )
            connection.execute(
                "INSERT INTO conversations_member (conversation_id, user_id, role, active, version, joined_at) "
                "SELECT %s, id, 'member', true, 1, now() FROM accounts_user WHERE username = ANY(%s)",
                (group, [person.username for person in circle]),
            )
    return circles
