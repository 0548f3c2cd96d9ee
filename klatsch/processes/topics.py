"""The topic's life: made once, checked at each start, and exchanged only on purpose (D2)."""

import time

from django.db import transaction

from klatsch.eventlog.epochs import check_topic, current_epoch
from klatsch.eventlog.log import LogError, LogTail, TopicChanged
from klatsch.eventlog.models import Epoch
from klatsch.eventlog.topics import KafkaTopics, Topic, TopicPlan
from klatsch.messaging.models import LogOffset

_SHOWN_S = 10.0
_AGAIN_S = 0.1


def create_topic(topics: KafkaTopics, plan: TopicPlan, tail: LogTail, *, again: bool = False) -> str:
    """Makes the topic and opens epoch 1; says what it did. Where both are there already it checks and changes nothing.

    A topic with records that this archive does not know is refused, as is making a lost one anew without `again`.
    """
    found = topics.find()
    if found is not None and current_epoch() is not None:
        return f"The topic is there already: epoch {check_topic(found).epoch}, {found.partitions} partitions."
    if found is None:
        if current_epoch() is not None and not again:
            check_topic(None)
        topics.create(plan)
        found = _await_topic(topics)
        if current_epoch() is not None:
            return "The topic is made anew. Run `manage.py topics adopt` to open its epoch."
    elif any(tail.ends().values()):
        raise TopicChanged(
            "The topic holds records that this database does not know. Point DATABASE_URL at the archive that "
            "belongs to them, or run `manage.py topics adopt` to read them all into this one."
        )
    epoch = _open_epoch(found, tail)
    return f"Made the topic: epoch {epoch.epoch}, {found.partitions} partitions."


def verify_topic(topics: KafkaTopics, plan: TopicPlan) -> str:
    """Says that the topic is the known one, and how it differs from the settings; raises TopicChanged."""
    epoch = check_topic(topics.find())
    differences = topics.differences(plan)
    wrong = "".join(f"\n  {difference}" for difference in differences)
    return f"The topic is the known one: epoch {epoch.epoch}, {epoch.partitions} partitions.{wrong}"


def adopt_topic(topics: KafkaTopics, tail: LogTail) -> str:
    """Opens the next epoch for the topic that is there now; clients start anew with a `reset`."""
    found = topics.find()
    if found is None:
        raise TopicChanged("There is no topic to adopt. Run `manage.py topics create --again`.")
    known = current_epoch()
    if known is not None and known.topic_id == found.topic_id:
        return f"The topic is the known one already: epoch {known.epoch}."
    epoch = _open_epoch(found, tail)
    return f"Epoch {epoch.epoch} is open. Restart gateways, api and persisters."


def _await_topic(topics: KafkaTopics) -> Topic:
    """The topic that the controller has just made; each broker learns of it in its own time."""
    deadline_s = time.monotonic() + _SHOWN_S
    while (found := topics.find()) is None:
        if time.monotonic() > deadline_s:
            raise LogError("the brokers made the topic and do not show it yet: run the command again")
        time.sleep(_AGAIN_S)
    return found


def _open_epoch(found: Topic, tail: LogTail) -> Epoch:
    starts = tail.offsets_at(0)
    known = current_epoch()
    with transaction.atomic():
        epoch = Epoch.objects.create(
            epoch=known.epoch + 1 if known else 1, topic_id=found.topic_id, partitions=found.partitions
        )
        LogOffset.objects.bulk_create(
            LogOffset(epoch=epoch.epoch, partition=p, next_offset=starts[p]) for p in range(found.partitions)
        )
    return epoch
