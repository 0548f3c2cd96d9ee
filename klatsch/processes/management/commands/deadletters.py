from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from klatsch.archive.models import DeadLetter
from klatsch.core.errors import KlatschError
from klatsch.persister.dead_letters import retry_dead_letter


class Command(BaseCommand):
    help = "Lists the records that could not be stored, or tries them again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="one line each: number, position, reason, detail")
        listing.add_argument("--all", action="store_true", help="also those that were stored by a retry")
        retry = actions.add_parser("retry", help="store them at their own positions, and tell everybody")
        retry.add_argument("numbers", type=int, nargs="*", help="their numbers; none: all that wait")

    def handle(self, *args: Any, **options: Any) -> None:
        letters = DeadLetter.objects.order_by("epoch", "partition", "offset")
        if options["action"] == "list":
            for letter in letters if options["all"] else letters.filter(retried_at=None):
                self.stdout.write(f"{letter.pk}\t{_place(letter)}\t{letter.reason}\t{letter.detail}")
            return
        numbers = options["numbers"] or list(letters.filter(retried_at=None).values_list("pk", flat=True))
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


def _place(letter: DeadLetter) -> str:
    return f"{letter.epoch}:{letter.partition}:{letter.offset}"
