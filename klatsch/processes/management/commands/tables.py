from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from klatsch.processes.tables.pages import PAGES, with_tables


class Command(BaseCommand):
    help = "Writes the tables of settings, codes, limits, metrics and health into .env.example, docs/ and the clients."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail if a table is not up to date")

    def handle(self, *args: Any, **options: Any) -> None:
        stale = []
        for name, tables in PAGES.items():
            page = settings.BASE_DIR / name
            text = page.read_text()
            if (new := with_tables(text, tables)) != text:
                stale.append(name)
                if not options["check"]:
                    page.write_text(new)
                    self.stdout.write(name)
        if stale and options["check"]:
            raise CommandError(f"{', '.join(stale)}: not up to date. Run `manage.py tables`.")
