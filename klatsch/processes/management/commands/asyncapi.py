from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from klatsch.gateway.language.asyncapi.document import async_yaml

_FILE = Path("docs") / "asyncapi.yaml"


class Command(BaseCommand):
    help = "Writes docs/asyncapi.yaml, the description of the WebSocket and the log, from the structs in the code."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is not up to date")

    def handle(self, *args: Any, **options: Any) -> None:
        file = settings.BASE_DIR / _FILE
        if not options["check"]:
            file.write_text(async_yaml())
            self.stdout.write(str(_FILE))
        elif not file.exists() or file.read_text() != async_yaml():
            raise CommandError(f"{_FILE}: not up to date. Run `manage.py asyncapi`.")
