from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from klatsch.core.errors import KlatschError
from klatsch.persister.dead_letters import list_dead_letters, retry_dead_letter
from klatsch.processes.sentences import ended_by_reader, told_in_a_sentence


class Command(BaseCommand):
    help = "Lists the records that could not be stored, or tries to store them again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="one line each: number, position, reason, detail")
        listing.add_argument("--all", action="store_true", help="include records that a retry has stored")
        retry = actions.add_parser("retry", help="store them at their own positions, and push the messages")
        retry.add_argument(
            "numbers", type=int, nargs="*", help="numbers from `list`; without numbers, all waiting records"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with told_in_a_sentence(), ended_by_reader():
            if options["action"] == "list":
                self._list(stored_too=options["all"])
            else:
                self._retry_all(options["numbers"])

    def _list(self, *, stored_too: bool) -> None:
        for letter in list_dead_letters(stored_too=stored_too):
            self.stdout.write(f"{letter.number}\t{letter.position}\t{letter.reason}\t{letter.detail}")

    def _retry_all(self, numbers: list[int]) -> None:
        numbers = numbers or [letter.number for letter in list_dead_letters(stored_too=False)]
        failed = sum(not self._retry(number) for number in numbers)
        if failed:
            raise CommandError(f"{failed} of {len(numbers)} could not be stored")

    def _retry(self, number: int) -> bool:
        try:
            retried = retry_dead_letter(number)
        except KlatschError as error:
            self.stderr.write(f"{number}: {error.detail}")
            return False
        self.stdout.write(f"{number}: message {retried.message_id} is stored at {retried.position}")
        return True
