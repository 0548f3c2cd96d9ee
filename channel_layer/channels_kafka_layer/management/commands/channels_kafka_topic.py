"""Creates the topic of a channel layer."""

from argparse import ArgumentParser
from typing import Any

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import get_channel_layer
from django.core.management.base import BaseCommand, CommandError

from channels_kafka_layer.errors import KafkaUnavailable
from channels_kafka_layer.layer import KafkaChannelLayer


class Command(BaseCommand):
    help = "Creates the Kafka topic of a channel layer, with the settings that the layer needs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--layer", default=DEFAULT_CHANNEL_LAYER, help="an alias of CHANNEL_LAYERS")
        parser.add_argument("--replication", type=int, default=3, help="copies of the topic (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        layer = get_channel_layer(options["layer"])
        if not isinstance(layer, KafkaChannelLayer):
            raise CommandError(f"{options['layer']!r} is not a KafkaChannelLayer of CHANNEL_LAYERS.")
        try:
            is_new = layer.create_topic(options["replication"])
        except KafkaUnavailable as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"The topic {layer.topic!r} {'was created' if is_new else 'exists already'}.")
