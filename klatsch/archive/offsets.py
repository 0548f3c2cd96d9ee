"""Where the archive of an epoch begins, and how far it has come."""

from collections.abc import Mapping
from typing import Any

import psycopg
from django.db import connection as pooled

from klatsch.archive.models import LogOffset


def read_offsets(connection: psycopg.Connection[Any], epoch: int) -> dict[int, int]:
    """The next offset of every partition of an epoch that is not yet stored."""
    rows = connection.execute("SELECT partition, next_offset FROM messaging_logoffset WHERE epoch = %s", (epoch,))
    return dict(rows.fetchall())


def archived_offsets(epoch: int) -> dict[int, int]:
    """The same over a connection of Django's."""
    with pooled.cursor() as cursor:
        return read_offsets(cursor.connection, epoch)


def begin_archive(epoch: int, starts: Mapping[int, int]) -> None:
    """Lets persisters store a new epoch, each partition from its offset on; call it in the epoch's own transaction."""
    LogOffset.objects.bulk_create(
        LogOffset(epoch=epoch, partition=partition, next_offset=offset) for partition, offset in starts.items()
    )
