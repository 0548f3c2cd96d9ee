from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from klatsch.processes.gateway import run
from klatsch.processes.sentences import told_in_a_sentence, told_of_port


class Command(BaseCommand):
    help = "Serves WebSockets, and REST on the same port. Run any number of them behind any load balancer."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        with told_of_port(options["port"]), told_in_a_sentence("the gateway cannot continue: "):
            run(host=options["host"], port=options["port"])
