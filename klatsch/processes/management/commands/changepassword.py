from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from klatsch.accounts.passwords import set_password
from klatsch.accounts.queries import find_by_login
from klatsch.core.errors import BadRequest
from klatsch.processes.sentences import told_in_a_sentence


class Command(BaseCommand):
    # In place of Django's, which leaves tokens alive and writes every column as it was before the question.
    help = "Gives a person another password, and ends every session and token of theirs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="or the e-mail address")

    def handle(self, *args: Any, **options: Any) -> None:
        with told_in_a_sentence():
            person = find_by_login(options["username"])
        if person is None:
            raise CommandError("Nobody has this name or address.")
        password = getpass(f"Another password for {person}: ")
        if getpass("Again: ") != password:
            raise CommandError("These were two passwords. Nothing was changed.")
        try:
            with told_in_a_sentence():
                set_password(person_id=person.pk, password=password)
        except BadRequest as error:
            raise CommandError(" ".join([error.detail, *(field.detail for field in error.fields)])) from error
        self.stdout.write(f"Another password is set for {person}. Every session and token of theirs has ended.")
