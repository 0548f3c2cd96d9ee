"""Reads the servers' durability settings, and counts archived messages: a rate counts only those."""

import os
import time

import psycopg

_WAIT_S = 60


def durability() -> str:
    """Returns PostgreSQL's `fsync` and `synchronous_commit`."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        values = [connection.execute(f"SHOW {name}").fetchone() for name in ("fsync", "synchronous_commit")]
    return ", ".join(
        f"{name}={value[0]}" for name, value in zip(("fsync", "synchronous_commit"), values, strict=True) if value
    )


def count_archived(usernames: list[str], expected: int) -> int:
    """Returns the number of these people's archived messages, once all are there or after a minute."""
    deadline = time.monotonic() + _WAIT_S
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        while True:
            row = connection.execute(
                "SELECT count(*) FROM messaging_message m JOIN accounts_user u ON u.id = m.sender_id "
                "WHERE u.username = ANY(%s)",
                (usernames,),
            ).fetchone()
            count = int(row[0]) if row else 0
            if count >= expected or time.monotonic() > deadline:
                return count
            time.sleep(0.2)
