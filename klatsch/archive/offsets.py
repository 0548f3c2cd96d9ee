"""The archive's offsets in an epoch: where it begins, and its progress."""

from collections.abc import Mapping
from typing import Any

import psycopg
from django.db import connection as pooled

from klatsch.archive.models import LogOffset


def read_offsets(connection: psycopg.Connection[Any], epoch: int) -> dict[int, int]:
    """Returns, by partition, the next offset of an epoch that is not stored yet."""
    rows = connection.execute("SELECT partition, next_offset FROM messaging_logoffset WHERE epoch = %s", (epoch,))
    return dict(rows.fetchall())


def read_first_offsets(connection: psycopg.Connection[Any], epoch: int) -> dict[int, int]:
    """Returns, by partition, the first offset of an epoch: what lies before it is of an earlier one, or expired."""
    rows = connection.execute("SELECT partition, first_offset FROM messaging_logoffset WHERE epoch = %s", (epoch,))
    return dict(rows.fetchall())


def archived_offsets(epoch: int) -> dict[int, int]:
    """Returns the same offsets over a connection of Django's pool."""
    with pooled.cursor() as cursor:
        return read_offsets(cursor.connection, epoch)


def begin_archive(epoch: int, starts: Mapping[int, int]) -> None:
    """Makes persisters store a new epoch from these offsets on. Call it in the transaction that opens the epoch."""
    LogOffset.objects.bulk_create(
        LogOffset(epoch=epoch, partition=partition, next_offset=offset, first_offset=offset)
        for partition, offset in starts.items()
    )
