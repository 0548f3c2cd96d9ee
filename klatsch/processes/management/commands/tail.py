import queue
import threading
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from django.core.management.base import BaseCommand

from klatsch.eventlog.kafka_reader import KafkaTail
from klatsch.eventlog.log import LogError, Record
from klatsch.processes import wiring
from klatsch.processes.sentences import ended_by_reader, told_in_a_sentence

_WAITING_MOST = 100
_LOOK_UP_S = 0.2


class Command(BaseCommand):
    help = "Shows the log's records as they arrive: position, key, value. Stop it with Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from-start", action="store_true", help="begin with the oldest record that the log holds")
        parser.add_argument("--records", type=int, default=0, help="stop after this number of records")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with told_in_a_sentence(), ended_by_reader():
                epoch = wiring.known_log()
                with _records(wiring.log_tail(epoch.partitions), from_start=options["from_start"]) as batches:
                    self._show(epoch.epoch, batches, options["records"])
        except KeyboardInterrupt:
            self.stderr.write("")

    def _show(self, epoch: int, batches: Iterator[Sequence[Record]], most: int) -> None:
        shown = 0
        for batch in batches:
            for record in batch:
                key = record.key.decode(errors="backslashreplace")
                value = record.value.decode(errors="backslashreplace")
                self.stdout.write(f"{epoch}:{record.partition}:{record.offset} {key} {value}")
                self.stdout.flush()
                shown += 1
                if shown == most:
                    return


@contextmanager
def _records(tail: KafkaTail, *, from_start: bool) -> Iterator[Iterator[Sequence[Record]]]:
    """Yields batches as they arrive, for ever; raises LogError when the log cannot be read on."""
    waiting: queue.Queue[Sequence[Record] | LogError] = queue.Queue(_WAITING_MOST)
    ended = threading.Event()

    def put(got: Sequence[Record] | LogError) -> None:
        while not ended.is_set():
            with suppress(queue.Full):
                waiting.put(got, timeout=_LOOK_UP_S)
                return

    def batches() -> Iterator[Sequence[Record]]:
        while True:
            got = waiting.get()
            if isinstance(got, LogError):
                raise got
            yield got

    tail.start(tail.offsets_at(0) if from_start else tail.ends(), put, put)
    try:
        yield batches()
    finally:
        ended.set()
        tail.stop()
