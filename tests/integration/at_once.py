"""Changes that race each other on PostgreSQL."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from klatsch.core.errors import KlatschError


def at_once(changes: Sequence[Callable[[], None]]) -> list[KlatschError | None]:
    """Makes all changes at the same moment, each on a thread and a connection of its own; returns their refusals."""
    start = threading.Barrier(len(changes))

    def make(change: Callable[[], None]) -> KlatschError | None:
        start.wait()
        try:
            change()
        except KlatschError as refusal:
            return refusal
        finally:
            connection.close()
        return None

    with ThreadPoolExecutor(len(changes)) as threads:
        return list(threads.map(make, changes))
