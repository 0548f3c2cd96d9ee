from typing import Any

from django.core.management.base import BaseCommand, CommandError

from klatsch.eventlog.log import LogError
from klatsch.processes.persister import run


class Command(BaseCommand):
    help = (
        "Stores the log in PostgreSQL, exactly once, and relays the outbox. Run one to as many as there are partitions."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            run()
        except LogError as error:
            raise CommandError(f"the persister does not go on: {error}") from error
