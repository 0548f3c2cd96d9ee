import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from klatsch.records.schemas import record_schemas

_FOLDER = Path("docs") / "schemas"


class Command(BaseCommand):
    help = "Writes the JSON Schemas of the log's records to docs/schemas/, from the structs in the code."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not up to date")

    def handle(self, *args: Any, **options: Any) -> None:
        folder = settings.BASE_DIR / _FOLDER
        wanted = {f"{name}.json": json.dumps(schema, indent=2) + "\n" for name, schema in record_schemas().items()}
        if options["check"]:
            stale = [name for name, text in wanted.items() if not _has(folder / name, text)]
            if stale:
                raise CommandError(f"{', '.join(stale)}: not up to date. Run `manage.py schemas`.")
            return
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in wanted.items():
            (folder / name).write_text(text)
            self.stdout.write(str(_FOLDER / name))


def _has(file: Path, text: str) -> bool:
    return file.exists() and file.read_text() == text
