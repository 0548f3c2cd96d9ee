from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from klatsch.eventlog.kafka_reader import KafkaTail
from klatsch.eventlog.topics import KafkaTopics
from klatsch.processes import wiring
from klatsch.processes.sentences import told_in_a_sentence
from klatsch.processes.topics import adopt_topic, create_topic, plan_adoption, verify_topic


class Command(BaseCommand):
    help = "Makes, checks or adopts the log's topic."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make the topic, once; harmless when it is there")
        create.add_argument("--again", action="store_true", help="make it anew although one was known and is lost")
        actions.add_parser("verify", help="check that the topic is the known one, with the settings as planned")
        adopt = actions.add_parser("adopt", help="take the topic that is there now as the log: opens the next epoch")
        adopt.add_argument("--dry-run", action="store_true", help="say what that would mean, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        topics, plan = wiring.log_topics(), wiring.topic_plan()
        with told_in_a_sentence():
            if options["action"] == "verify":
                self.stdout.write(verify_topic(topics, plan))
                return
            found = topics.find()
            tail = wiring.log_tail(found.partitions if found else plan.partitions)
            try:
                if options["action"] == "create":
                    self.stdout.write(create_topic(topics, plan, tail, again=options["again"]))
                else:
                    self._adopt(topics, tail, dry_run=options["dry_run"])
            finally:
                tail.stop()

    def _adopt(self, topics: KafkaTopics, tail: KafkaTail, *, dry_run: bool) -> None:
        adoption = plan_adoption(topics, tail)
        if adoption is None:
            self.stdout.write("The topic is the known one already.")
            return
        self.stdout.write(adoption.meaning)
        if not dry_run:
            self.stdout.write(adopt_topic(adoption))
