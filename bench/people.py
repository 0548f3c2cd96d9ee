"""Creates the people of a run by `manage.py people`, with tokens, so that thousands need not sign in."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

_MANAGE = Path(__file__).resolve().parent.parent / "manage.py"


@dataclass(frozen=True, slots=True)
class BenchPerson:
    username: str
    token: str


def make_people(count: int, env: Mapping[str, str] | None = None) -> list[BenchPerson]:
    """Needs the settings of the running services in `env` or the environment, as `make bench` sets them."""
    made = subprocess.run(
        [sys.executable, str(_MANAGE), "people", str(count)], stdout=subprocess.PIPE, check=True, env=env or os.environ
    )
    return [BenchPerson(**json.loads(line)) for line in made.stdout.splitlines()]


def make_group(people: Sequence[BenchPerson], url: str | None = None) -> str:
    """Returns the id of a new group of these people."""
    [group] = make_groups(people, 1, url)
    return group


def make_groups(people: Sequence[BenchPerson], count: int, url: str | None = None) -> list[str]:
    """Returns the ids of new groups of these people, made by SQL: thousands of memberships need no history."""
    groups = [uuid.uuid4() for _ in range(count)]
    with psycopg.connect(url or os.environ["DATABASE_URL"]) as connection:
        connection.execute(
            "INSERT INTO conversations_conversation (id, kind, title, created_at, member_count) "
            "SELECT id, 'group', 'bench', now(), %s FROM unnest(%s::uuid[]) id",
            (len(people), groups),
        )
        connection.execute(
            "INSERT INTO conversations_member (conversation_id, user_id, role, active, version, joined_at) "
            "SELECT g, u.id, 'member', true, 1, now() FROM unnest(%s::uuid[]) g, accounts_user u "
            "WHERE u.username = ANY(%s)",
            (groups, [person.username for person in people]),
        )
    return [str(group) for group in groups]
