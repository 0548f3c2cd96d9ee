from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from klatsch.eventlog.access import ROLES, KafkaAccess
from klatsch.eventlog.log import LogError
from klatsch.processes import wiring


class Command(BaseCommand):
    help = "Creates Klatsch's users and their rights on brokers that authenticate. Run it as a super user."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "passwords",
            nargs="+",
            metavar="ROLE=FILE",
            help=f"a role and the file with its password; roles: {', '.join(ROLES)}",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        passwords = dict(_password(given) for given in options["passwords"])
        try:
            env = settings.ENV
            topic, group, signals = env["KLATSCH_TOPIC"], env["KLATSCH_GROUP"], env["KLATSCH_SIGNALS_TOPIC"]
            KafkaAccess(wiring.kafka_connection(), topic, group, signals).give(passwords)
        except LogError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Created users and rights: {', '.join(passwords)}.")


def _password(given: str) -> tuple[str, str]:
    role, _, file = given.partition("=")
    if role not in ROLES:
        raise CommandError(f"{role!r} is not a role. Use {', '.join(ROLES)}")
    try:
        password = Path(file).read_text().strip()
    except OSError as error:
        raise CommandError(f"the password of {role} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"the password of {role} cannot be read: it is no UTF-8") from error
    if not password:
        raise CommandError(f"the file with the password of {role} is empty")
    return role, password
