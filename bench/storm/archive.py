"""Reads a run's archived messages, with their places in the log."""

import os

import psycopg

from bench.storm.account import Archived
from bench.storm.record import Place

_MESSAGES = """
    SELECT m.id::text, m.client_id, u.username, m."partition", m."offset"
    FROM messaging_message m JOIN accounts_user u ON u.id = m.sender_id WHERE u.username = ANY(%s)"""


def read_archive(usernames: list[str]) -> list[Archived]:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        rows = connection.execute(_MESSAGES, (usernames,)).fetchall()
    return [Archived(row[0], row[1], row[2], Place(row[3], row[4])) for row in rows]
