import time
from typing import Any

from django.core.management.base import BaseCommand

from klatsch.conversations.restoring import raise_versions
from klatsch.processes.sentences import told_in_a_sentence


class Command(BaseCommand):
    help = "Makes restored tables newer than the log. Run it as the tables' owner, before any process starts."

    def handle(self, *args: Any, **options: Any) -> None:
        with told_in_a_sentence():
            version = raise_versions(time.time())
        self.stdout.write(f"Memberships, groups and invitations have version {version}, beyond any in the log.")
