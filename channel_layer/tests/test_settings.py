"""The configuration, the topic and its command, and what a site learns when Kafka is not there."""

import secrets
import time
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from channels.layers import channel_layers, get_channel_layer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]  # not in __all__
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings
from waits import received

from channels_kafka_layer import KafkaChannelLayer, KafkaUnavailable, TopicMissing
from channels_kafka_layer.management.commands.channels_kafka_topic import Command

BACKEND = "channels_kafka_layer.KafkaChannelLayer"


def site(**config: Any) -> override_settings:
    return override_settings(CHANNEL_LAYERS={"default": {"BACKEND": BACKEND, "CONFIG": config}})


@pytest.fixture
def new_topic(hosts: str) -> Iterator[str]:
    """Returns a name that no topic has."""
    yield f"channels-{secrets.token_hex(4)}"
    channel_layers.backends.clear()


def settings_of(hosts: str, topic: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin = AdminClient({"bootstrap.servers": hosts})
    described = admin.describe_configs([resource])[resource].result(60)
    return {name: entry.value for name, entry in described.items()}


def test_the_command_creates_the_topic_once(hosts: str, new_topic: str) -> None:
    said = StringIO()
    with site(hosts=hosts, topic=new_topic):
        for _ in range(2):
            call_command(Command(), replication=1, stdout=said)
    first, second = said.getvalue().splitlines()
    assert first == f"The topic '{new_topic}' was created."
    assert second == f"The topic '{new_topic}' exists already."
    found = settings_of(hosts, new_topic)
    assert found["message.timestamp.type"] == "LogAppendTime"
    assert found["retention.ms"] == "600000"
    assert found["max.message.bytes"] == "2097152"


def test_the_command_says_that_a_layer_is_another() -> None:
    layers = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    with override_settings(CHANNEL_LAYERS=layers), pytest.raises(CommandError, match="not a KafkaChannelLayer"):
        call_command(Command())


async def test_the_first_use_creates_the_topic_where_a_setting_allows(hosts: str, new_topic: str) -> None:
    with site(hosts=hosts, topic=new_topic, create_topic=True):
        layer = get_channel_layer()
        assert isinstance(layer, KafkaChannelLayer)
        channel = await layer.new_channel()
        await layer.send(channel, {"type": "test.message"})
        assert await received(layer, channel) == {"type": "test.message"}
        await layer.close()


async def test_a_missing_topic_says_what_to_do(hosts: str, new_topic: str) -> None:
    layer = KafkaChannelLayer(hosts=hosts, topic=new_topic)
    for call in (layer.new_channel(), layer.group_send("group", {"type": "test.message"})):
        with pytest.raises(TopicMissing, match="channels_kafka_topic"):
            await call
    await layer.close()


async def test_calls_give_up_on_a_kafka_that_is_not_there_and_try_again_when_it_is(hosts: str, topic: str) -> None:
    away = KafkaChannelLayer(hosts="127.0.0.1:1", topic=topic, send_timeout=0.5)
    for _ in range(2):
        for call in (away.new_channel(), away.group_send("group", {}), away.send("normal", {})):
            begun_s = time.monotonic()
            with pytest.raises(KafkaUnavailable):
                await call
            assert time.monotonic() - begun_s < 30
    await away.close()


def test_the_constructor_does_no_io_and_needs_no_loop() -> None:
    layer = KafkaChannelLayer(hosts=[("127.0.0.1", 1)], kafka={"security.protocol": "SSL"})
    assert layer._made is None


def gap_was_found(gap: object) -> None:
    """Stands for a site's own function."""


def test_on_gap_may_be_a_dotted_path() -> None:
    layer = KafkaChannelLayer(on_gap=f"{__name__}.gap_was_found")
    assert layer._settings.on_gap is gap_was_found
