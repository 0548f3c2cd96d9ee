from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from klatsch.processes.api import check_port, run
from klatsch.processes.sentences import told_of_port


class Command(BaseCommand):
    help = "Serves REST, Swagger UI and the admin, without WebSockets. Run any number of them."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8001, help="port to listen on (default: %(default)s)")
        parser.add_argument("--workers", type=int, default=1, help="worker processes (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["workers"] < 1:
            raise CommandError("--workers must be at least 1")
        with told_of_port(options["port"]):
            check_port(host=options["host"], port=options["port"])
        run(host=options["host"], port=options["port"], workers=options["workers"])
