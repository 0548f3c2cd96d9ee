from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from klatsch.processes.settings_page import settings_page

_PAGE = Path("docs") / "settings.md"


class Command(BaseCommand):
    help = "Writes docs/settings.md: every setting with its default, unit, bounds and effect."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail where the page is not up to date")

    def handle(self, *args: Any, **options: Any) -> None:
        page, text = settings.BASE_DIR / _PAGE, settings_page()
        if not options["check"]:
            page.write_text(text)
            self.stdout.write(str(_PAGE))
        elif not page.exists() or page.read_text() != text:
            raise CommandError(f"{_PAGE}: not as in the code. Run `manage.py settings`.")
