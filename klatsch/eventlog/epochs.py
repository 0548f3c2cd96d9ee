"""The log's identity: which topic is the known one, and the number that positions in it begin with (D2)."""

from klatsch.eventlog.log import TopicChanged
from klatsch.eventlog.models import Epoch
from klatsch.eventlog.topics import Topic


def current_epoch() -> Epoch | None:
    """The newest epoch, None before the first topic was made."""
    return Epoch.objects.order_by("-epoch").first()


def open_epoch(found: Topic) -> Epoch:
    """Makes that topic the log from now on, under the next number; positions in it are above all others."""
    known = current_epoch()
    number = known.epoch + 1 if known else 1
    epoch: Epoch = Epoch.objects.create(epoch=number, topic_id=found.topic_id, partitions=found.partitions)
    return epoch


def check_topic(found: Topic | None) -> Epoch:
    """The epoch of the topic that is there; raises TopicChanged, saying what to do, unless it is the known one."""
    known = current_epoch()
    if known is None:
        raise TopicChanged("There is no log yet. Run `manage.py topics create`.")
    check_same(found, known)
    return known


def check_same(found: Topic | None, known: Epoch) -> None:
    """Raises TopicChanged, saying what to do, unless the topic that is there is that epoch's. Asks nobody.

    Partitions that somebody added to it change nothing: no record of ours goes there, and nobody reads them.
    """
    if found is None:
        raise TopicChanged(
            "The log's topic is gone from the brokers. Restore it; or, if it is lost for good, "
            "run `manage.py topics create --again` and then `manage.py topics adopt`."
        )
    if found.topic_id != known.topic_id:
        raise TopicChanged(
            "The topic on the brokers is not the known one: it was deleted and made again, or these are other brokers. "
            "If that is meant, run `manage.py topics adopt`: it opens the next epoch."
        )
    if found.partitions < known.partitions:
        raise TopicChanged(
            f"The topic has {found.partitions} partitions, but epoch {known.epoch} has {known.partitions}: the records "
            "of the others are gone. Restore it; or, if they are lost for good, run `manage.py topics adopt`."
        )


def added_partitions(found: Topic, known: Epoch) -> range:
    """The partitions that the epoch does not have: whatever stands in them is read by nobody."""
    return range(known.partitions, found.partitions)
