from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from klatsch.processes.sentences import told_in_a_sentence


class Command(migrate.Command):
    # A wrong DATABASE_URL is an operator's mistake. A failing migration is none, and keeps its traceback.
    def handle(self, *args: Any, **options: Any) -> None:
        with told_in_a_sentence():
            connections[options["database"]].ensure_connection()
        super().handle(*args, **options)
