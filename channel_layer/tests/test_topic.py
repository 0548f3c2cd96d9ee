"""A topic that is deleted, not allowed or stamped by its senders, and brokers that cannot be talked to."""

import asyncio

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # not in its __all__
from waits import DEADLINE_S, received, until

from channels_kafka_layer import Gap, KafkaChannelLayer, KafkaUnavailable, TopicMissing
from channels_kafka_layer import topic as topics
from channels_kafka_layer.connection import Connection
from channels_kafka_layer.topic import Topic

HELLO = {"type": "test.message"}


async def delete(hosts: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": hosts})
    [deleted] = admin.delete_topics([topic]).values()
    await asyncio.to_thread(deleted.result, 60)


async def error_of_sending(layer: KafkaChannelLayer) -> KafkaUnavailable:
    """Sends until that fails; returns the error."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                await layer.group_send("group", HELLO)
            except KafkaUnavailable as error:
                return error


async def send_at_last(layer: KafkaChannelLayer, message: dict[str, str]) -> None:
    """Sends until that succeeds: the driver learns of a new topic within some seconds."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                await layer.group_send("group", message)
            except KafkaUnavailable:
                continue
            return


async def test_a_topic_that_was_deleted_is_made_again_where_a_setting_allows(hosts: str, topic: str) -> None:
    gaps: list[Gap] = []
    name = f"{topic}-deleted"
    layer = KafkaChannelLayer(hosts=hosts, topic=name, create_topic=True, send_timeout=10, on_gap=gaps.append)
    channel = await layer.new_channel()
    await layer.group_add("group", channel)
    for _ in range(3):
        await send_at_last(layer, HELLO)
    await delete(hosts, name)
    await error_of_sending(layer)
    await until(lambda: gaps)
    await send_at_last(layer, {"type": "after"})
    while await received(layer, channel) != {"type": "after"}:
        pass  # what was sent on the way
    await layer.close()


async def test_a_topic_that_was_deleted_is_named_to_those_who_send(hosts: str, topic: str) -> None:
    name = f"{topic}-gone"
    layer = KafkaChannelLayer(hosts=hosts, topic=name, send_timeout=10)
    await asyncio.to_thread(layer.create_topic, 1)
    await send_at_last(layer, HELLO)
    await delete(hosts, name)
    while not isinstance(await error_of_sending(layer), TopicMissing):
        pass
    while not await asyncio.to_thread(layer.create_topic, 1):  # the old one may still be there
        pass
    await send_at_last(layer, HELLO)
    await layer.close()


def test_a_topic_that_is_there_is_not_created_although_a_setting_allows(
    hosts: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site may have the right to use its topic, and none to create one."""

    def refuse(*_: object) -> bool:
        raise KafkaUnavailable("not allowed")

    monkeypatch.setattr(topics, "create_topic", refuse)
    Topic(Connection(hosts, topic), 30, 1).ensure()
    with pytest.raises(KafkaUnavailable, match="not allowed"):
        Topic(Connection(hosts, f"{topic}-not-there"), 30, 1).ensure()


@pytest.mark.parametrize("settings", [{"security.protocol": "SSL"}, {"bootstrap.servers": "127.0.0.1:1"}])
def test_the_error_says_why_a_broker_cannot_be_talked_to(hosts: str, topic: str, settings: dict[str, str]) -> None:
    connection = Connection(hosts, topic, settings)
    with pytest.raises(KafkaUnavailable, match=r"SSL|127\.0\.0\.1:1/bootstrap: Connect"):
        topics.check_topic(connection, 2)
    with pytest.raises(KafkaUnavailable, match=r"SSL|127\.0\.0\.1:1/bootstrap: Connect"):
        topics.create_topic(connection, 1, 2)


async def test_a_topic_that_its_senders_stamp_is_told_of_once(
    hosts: str, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    admin = AdminClient({"bootstrap.servers": hosts})
    name = f"{topic}-stamped"
    new = NewTopic(name, 1, 1, config={"message.timestamp.type": "CreateTime"})
    await asyncio.to_thread(admin.create_topics([new])[name].result, 60)
    layer = KafkaChannelLayer(hosts=hosts, topic=name)
    channel = await layer.new_channel()
    for _ in range(3):
        await layer.send(channel, HELLO)
        await received(layer, channel)
    [told] = [message for message in caplog.messages if "LogAppendTime" in message]
    assert name in told
    await layer.close()
