from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from klatsch.processes.persister import run
from klatsch.processes.sentences import told_in_a_sentence, told_of_port


class Command(BaseCommand):
    help = "Stores the log in PostgreSQL, exactly once, and relays the outbox. Run at most one per partition."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--metrics-host", default="127.0.0.1", help="address of /metrics and /livez (default: %(default)s)"
        )
        parser.add_argument(
            "--metrics-port",
            type=int,
            default=settings.ENV["KLATSCH_METRICS_PORT"],
            help="port of /metrics and /livez; 0 for none (default: KLATSCH_METRICS_PORT, now %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with told_of_port(options["metrics_port"]), told_in_a_sentence("the persister cannot continue: "):
            run(metrics_host=options["metrics_host"], metrics_port=options["metrics_port"])
