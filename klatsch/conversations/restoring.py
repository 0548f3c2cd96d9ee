"""Raises versions after a restore: the log may be newer than the backup, and hold higher versions than its rows have.

Judges, clients and the persister ignore a record whose version they know already. A removal after the restore would
therefore have no effect, and the removed person would go on reading.
"""

from datetime import UTC, datetime
from typing import Final

from django.db import connection, transaction

_ORIGIN_S: Final = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())
"""The time from which versions count seconds: until 2093 they fit into the columns, and into records (2**31)."""

_HIGHEST: Final = """
    SELECT greatest((SELECT max(version) FROM conversations_member),
        (SELECT max(version) FROM conversations_conversation), (SELECT max(version) FROM conversations_invitation))"""
_RAISE: Final = (
    "UPDATE conversations_member SET version = %s",
    "UPDATE conversations_conversation SET version = %s WHERE kind = 'group'",
    "UPDATE conversations_invitation SET version = %s",
    # A person who is added again after a restore may have no row, while the log has versions of them.
    "ALTER TABLE conversations_member ALTER COLUMN version SET DEFAULT %s",
)


def raise_versions(now_s: float) -> int:
    """Raises all versions to one that no record in the log can have, and returns it. No other process may run.

    That version is the number of seconds since 2025. A row changes less than once a second, so that this is beyond the
    log's versions however often a backup is restored. A fixed step would not be, when one backup is restored twice.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_HIGHEST)
        [highest] = cursor.fetchone()
        version = max(int(now_s) - _ORIGIN_S, highest or 0) + 1
        for statement in _RAISE:
            cursor.execute(statement, [version])
    return version
