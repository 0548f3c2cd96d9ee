"""The log's identity: the known topic's id, and the number that its positions begin with (D2)."""

from typing import Final

from django.db import connection

from klatsch.eventlog.log import TopicChanged
from klatsch.eventlog.models import Epoch
from klatsch.eventlog.topics import Topic


def current_epoch() -> Epoch | None:
    """Returns the newest epoch, or None before the first topic was created."""
    return Epoch.objects.order_by("-epoch").first()


def last_epoch_of(found: Topic) -> Epoch | None:
    """Returns the newest epoch in which that topic was the log, or None for a topic that never was."""
    return Epoch.objects.filter(topic_id=found.topic_id).order_by("-epoch").first()


_OPENING: Final = 0x6B_6C_65_70
"""The advisory lock of commands that open an epoch, held until their transaction ends."""


def lock_epochs() -> None:
    """Waits until no other transaction may open an epoch. Call it in the transaction that opens one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_OPENING])


def open_epoch(found: Topic) -> Epoch:
    """Makes that topic the log from now on, under the next number: its positions order after all earlier ones."""
    known = current_epoch()
    number = known.epoch + 1 if known else 1
    epoch: Epoch = Epoch.objects.create(epoch=number, topic_id=found.topic_id, partitions=found.partitions)
    return epoch


def check_topic(found: Topic | None) -> Epoch:
    """Returns the epoch of the brokers' topic; raises TopicChanged, saying what to do, unless it is the known one."""
    known = current_epoch()
    if known is None:
        raise TopicChanged("There is no log yet. Run `manage.py topics create`.")
    check_same(found, known)
    return known


def check_same(found: Topic | None, known: Epoch) -> None:
    """Raises TopicChanged, saying what to do, unless the brokers' topic is that epoch's. Does no I/O.

    Added partitions are harmless: Klatsch neither writes nor reads them.
    """
    if found is None:
        raise TopicChanged(
            "The log's topic is gone from the brokers. Restore it. If it is lost for good, "
            "run `manage.py topics create --again` and then `manage.py topics adopt`."
        )
    if found.topic_id != known.topic_id:
        raise TopicChanged(
            "The topic on the brokers is not the known one: it was deleted and created again, or these are other "
            "brokers. If that is intended, run `manage.py topics adopt`, which opens the next epoch."
        )
    if found.partitions < known.partitions:
        raise TopicChanged(
            f"The topic has {found.partitions} partitions, but epoch {known.epoch} has {known.partitions}: the records "
            "of the missing ones are gone. Restore them. If they are lost for good, run `manage.py topics adopt`."
        )


def added_partitions(found: Topic, known: Epoch) -> range:
    """Returns the partitions that the epoch does not have: Klatsch does not read them."""
    return range(known.partitions, found.partitions)
