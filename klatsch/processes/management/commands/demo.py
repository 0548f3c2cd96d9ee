import os
import secrets
from typing import Any

from django.core.management.base import BaseCommand

from klatsch.accounts.queries import find_by_login
from klatsch.accounts.services import create_token, register_person
from klatsch.processes.sentences import told_in_a_sentence


class Command(BaseCommand):
    help = "Creates two accounts with random passwords, and prints them with a curl command."

    def handle(self, *args: Any, **options: Any) -> None:
        run = secrets.token_hex(2)
        port = os.environ.get("KLATSCH_PORT", "8000")
        names = [f"ana-{run}", f"bob-{run}"]
        with told_in_a_sentence():
            tokens = [self._make(name) for name in names]
        self.stdout.write(
            f"\ncurl -H 'Authorization: Bearer {tokens[0]}' -H 'Content-Type: application/json' "
            f'-d \'{{"content": "hello"}}\' http://localhost:{port}/api/v1/users/{names[1]}/messages'
        )

    def _make(self, name: str) -> str:
        password = secrets.token_urlsafe(12)
        person = register_person(username=name, email=f"{name}@example.org", password=password)
        self.stdout.write(f"{name}  password: {password}")
        user = find_by_login(person.username)
        assert user is not None
        return create_token(person=user).token
