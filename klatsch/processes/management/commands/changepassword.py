from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from klatsch.accounts.passwords import set_password
from klatsch.accounts.queries import find_by_login
from klatsch.core.errors import BadRequest
from klatsch.processes.sentences import told_in_a_sentence


class Command(BaseCommand):
    # Replaces Django's command, which leaves tokens alive and overwrites every column with its earlier value.
    help = "Sets a person's password and ends all their sessions and tokens."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="username or e-mail address")

    def handle(self, *args: Any, **options: Any) -> None:
        with told_in_a_sentence():
            person = find_by_login(options["username"])
        if person is None:
            raise CommandError("No account has this username or e-mail address.")
        try:
            password = getpass(f"New password for {person}: ")
            repeated = getpass("Repeat it: ")
        except (EOFError, KeyboardInterrupt) as error:
            raise CommandError("No password was given. Nothing was changed.") from error
        if repeated != password:
            raise CommandError("The passwords differ. Nothing was changed.")
        try:
            with told_in_a_sentence():
                set_password(person_id=person.pk, password=password)
        except BadRequest as error:
            raise CommandError(" ".join([error.detail, *(field.detail for field in error.fields)])) from error
        self.stdout.write(f"The password of {person} is changed. All their sessions and tokens have ended.")
