from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from klatsch.eventlog.kafka_reader import KafkaTail
from klatsch.eventlog.topics import KafkaTopics, TopicPlan
from klatsch.processes import wiring
from klatsch.processes.sentences import told_in_a_sentence
from klatsch.processes.topics import (
    adopt_topic,
    create_signals_topic,
    create_topic,
    once_brokers_can,
    plan_adoption,
    verify_signals_topic,
    verify_topic,
)


class Command(BaseCommand):
    help = "Creates, checks or adopts the log's topic. Creates and checks the topic of signals."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="create the topics; harmless when they exist")
        create.add_argument("--again", action="store_true", help="create it again because the known topic is lost")
        actions.add_parser(
            "verify", help="check that the topic is the known one, and that both have the planned settings"
        )
        adopt = actions.add_parser("adopt", help="make the present topic the log: opens the next epoch")
        adopt.add_argument("--dry-run", action="store_true", help="show the consequences, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        topics, plan = wiring.log_topics(), wiring.topic_plan()
        with told_in_a_sentence():
            if options["action"] == "verify":
                self.stdout.write(verify_topic(topics, plan))
                if settings.ENV["KLATSCH_SIGNALS"]:
                    self.stdout.write(verify_signals_topic(wiring.signals_topics(), wiring.signals_plan()))
            elif options["action"] == "create":
                self._create(topics, plan, again=options["again"])
            else:
                with _tail_of(topics, plan) as tail:
                    self._adopt(topics, tail, dry_run=options["dry_run"])

    def _create(self, topics: KafkaTopics, plan: TopicPlan, *, again: bool) -> None:
        def create() -> str:
            with _tail_of(topics, plan) as tail:
                return create_topic(topics, plan, tail, again=again)

        self.stdout.write(once_brokers_can(create, self.stderr.write))
        if settings.ENV["KLATSCH_SIGNALS"]:
            signals, signals_plan = wiring.signals_topics(), wiring.signals_plan()
            told = once_brokers_can(lambda: create_signals_topic(signals, signals_plan), self.stderr.write)
            self.stdout.write(told)

    def _adopt(self, topics: KafkaTopics, tail: KafkaTail, *, dry_run: bool) -> None:
        adoption = plan_adoption(topics, tail)
        if adoption is None:
            self.stdout.write("The topic is already the known one.")
            return
        self.stdout.write(adoption.meaning)
        if not dry_run:
            self.stdout.write(adopt_topic(adoption))


@contextmanager
def _tail_of(topics: KafkaTopics, plan: TopicPlan) -> Iterator[KafkaTail]:
    """Yields a tail of all partitions that the topic has, or is to have."""
    found = topics.find()
    tail = wiring.log_tail(found.partitions if found else plan.partitions)
    try:
        yield tail
    finally:
        tail.stop()
