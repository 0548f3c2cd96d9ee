import json
import secrets
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand

from klatsch.accounts.services import create_token
from klatsch.processes.sentences import ended_by_reader, told_in_a_sentence


class Command(BaseCommand):
    help = "Creates accounts with bearer tokens and no password, for benchmarks. Prints one JSON object per line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("count", type=int, help="the number of accounts")

    def handle(self, *args: Any, **options: Any) -> None:
        run = secrets.token_hex(4)
        with told_in_a_sentence(), ended_by_reader():
            for number in range(options["count"]):
                username = f"bench-{run}-{number}"
                person = get_user_model()(username=username, email=f"{username}@bench.invalid")
                person.set_unusable_password()
                person.save(force_insert=True)
                token = create_token(person=person).token
                self.stdout.write(json.dumps({"username": username, "token": token}))
