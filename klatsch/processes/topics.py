"""The topic's life: created once, checked at each start, and replaced only on request (D2)."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db import transaction

from klatsch.archive.offsets import archived_offsets, begin_archive
from klatsch.eventlog.epochs import added_partitions, check_topic, current_epoch, last_epoch_of, lock_epochs, open_epoch
from klatsch.eventlog.log import LogError, LogTail, TopicChanged
from klatsch.eventlog.models import Epoch
from klatsch.eventlog.topics import KafkaTopics, SignalsPlan, Topic, TopicPlan

_SHOWN_S = 10.0
_AGAIN_S = 0.1
_STARTED_S = 30.0
_TRY_AGAIN_S = 1.0


def once_brokers_can(act: Callable[[], str], tell: Callable[[str], object]) -> str:
    """Returns what `act` returns, which is tried again for half a minute while it raises LogError.

    Brokers that have just started may not know each other yet, which a topic's copies need, nor the rights that were
    just given. `tell` gets a sentence about the first failure. A TopicChanged is raised at once: time does not help.
    """
    until_s = time.monotonic() + _STARTED_S
    told = False
    while True:
        try:
            return act()
        except TopicChanged:
            raise
        except LogError as error:
            if time.monotonic() + _TRY_AGAIN_S > until_s:
                raise
            if not told:
                tell(f"Not yet: {error}. Trying again for {_STARTED_S:.0f} s ...")
                told = True
            time.sleep(_TRY_AGAIN_S)


def create_topic(topics: KafkaTopics, plan: TopicPlan, tail: LogTail, *, again: bool = False) -> str:
    """Creates the topic and opens epoch 1; returns a sentence about it.

    Where both exist it checks them, and changes only that the brokers stamp each record. It refuses a topic with
    records that this archive does not know, and refuses to create a lost topic anew without `again`.
    """
    found = topics.find()
    if found is not None and current_epoch() is not None:
        epoch = check_topic(found)
        altered = " From now on, the brokers stamp each record." if topics.set_stamps() else ""
        return f"The topic exists already: {_described(epoch)}.{altered}"
    if found is None:
        if current_epoch() is not None and not again:
            check_topic(None)
        topics.create(plan)
        found = _await_topic(topics)
        if current_epoch() is not None:
            return "The topic is created anew. Run `manage.py topics adopt` to open its epoch."
    elif any(tail.ends().values()):
        raise TopicChanged(
            "The topic holds records that this database does not know. Point DATABASE_URL at the archive that "
            "belongs to them, or run `manage.py topics adopt` to read them all into this one."
        )
    topics.set_stamps()  # another tool may have created it
    epoch = _open_epoch(found, tail.offsets_at(0), after=None)
    return f"Created the topic: {_described(epoch)}."


def verify_topic(topics: KafkaTopics, plan: TopicPlan) -> str:
    """Returns that the topic is the known one, and how it differs from the settings; raises TopicChanged."""
    found = topics.find()
    epoch = check_topic(found)
    assert found is not None
    wrong = [*topics.differences(plan), *_warnings(topics, found, epoch)]
    return "\n  ".join([f"The topic is the known one: {_described(epoch)}.", *wrong])


def create_signals_topic(topics: KafkaTopics, plan: SignalsPlan) -> str:
    """Creates the topic of signals unless it exists; returns a sentence about it. It has no epoch: nothing is kept."""
    found = topics.find()
    if found is not None:
        return f"The topic of signals exists already: {found.partitions} partitions."
    topics.create(plan)
    return f"Created the topic of signals: {_await_topic(topics).partitions} partitions."


def verify_signals_topic(topics: KafkaTopics, plan: SignalsPlan) -> str:
    """Returns whether the topic of signals exists, and how it differs from what gateways need."""
    found = topics.find()
    if found is None:
        return "There is no topic of signals: typing and presence do not work. Run `manage.py topics create`."
    wrong = topics.differences(plan)
    if found.partitions < plan.partitions:
        wrong.append(f"It has {found.partitions} partitions, and gateways need {plan.partitions}.")
    return "\n  ".join([f"The topic of signals has {found.partitions} partitions.", *wrong])


def _described(epoch: Epoch) -> str:
    return f"epoch {epoch.epoch}, {epoch.partitions} partitions"


def _warnings(topics: KafkaTopics, found: Topic, epoch: Epoch) -> list[str]:
    added = added_partitions(found, epoch)
    if not added:
        return []
    ignored = sum(topics.ends(added).values())
    warning = (
        f"{len(added)} partitions were added: they stay unused, and the {ignored} records in them are ignored. "
        "`manage.py topics adopt --dry-run` says how to use them."
    )
    return [warning]


@dataclass(frozen=True, slots=True)
class Adoption:
    """The next epoch as it would be: where reading begins in each partition, and what that means for people."""

    found: Topic
    starts: Mapping[int, int]
    meaning: str
    after: int | None
    """The newest epoch of the plan's moment."""


def plan_adoption(topics: KafkaTopics, tail: LogTail) -> Adoption | None:
    """Returns how the present topic would become the log, or None if it is the log already. Changes nothing.

    `tail` reads all partitions that the topic has. Raises TopicChanged where it cannot be adopted as things are.
    """
    found = topics.find()
    if found is None:
        raise TopicChanged("There is no topic to adopt. Run `manage.py topics create --again`.")
    known = current_epoch()
    if known is not None and known.topic_id == found.topic_id:
        return None if known.partitions == found.partitions else _adopt_other_number(found, known, tail)
    starts = _starts_in(found, tail)
    records = _count(starts, tail.ends())
    former = "" if known is None else f" Records of epoch {known.epoch} that are not archived are lost."
    meaning = f"Another topic becomes the log: {found.partitions} partitions, with {records} records to read.{former}"
    return Adoption(found, starts, meaning, None if known is None else known.epoch)


def _starts_in(found: Topic, tail: LogTail) -> dict[int, int]:
    """Returns where another topic is to be read from: its beginning, or what the archive lacks of its last epoch.

    What was judged in that epoch is not judged again: the new one does not know its removals and edits.
    """
    starts = dict(tail.offsets_at(0))
    last = last_epoch_of(found)
    archived = {} if last is None else archived_offsets(last.epoch)
    return {p: max(start, archived.get(p, 0)) for p, start in starts.items()}


def _adopt_other_number(found: Topic, known: Epoch, tail: LogTail) -> Adoption:
    """Continues in the epoch's partitions from the archive's offsets, which must be their ends."""
    starts, ends = dict(tail.offsets_at(0)), tail.ends()
    archived = archived_offsets(known.epoch)
    kept = {p: max(offset, starts[p]) for p, offset in archived.items() if p in starts}
    if missing := _count(kept, ends):
        raise TopicChanged(
            f"The archive lacks {missing} records of epoch {known.epoch}, which must be judged before others. "
            "Stop all gateways and apis, let a persister finish, stop it, and run this command again."
        )
    starts |= kept
    meaning = (
        f"The topic stays the log, with {found.partitions} partitions instead of {known.partitions}, so that "
        f"conversations move between them. {_count(starts, ends)} ignored records in added partitions will be read."
    )
    return Adoption(found, starts, meaning, known.epoch)


def _count(begin: Mapping[int, int], ends: Mapping[int, int]) -> int:
    return sum(ends[partition] - offset for partition, offset in begin.items())


def adopt_topic(adoption: Adoption) -> str:
    """Opens the next epoch; clients reload after a `reset`. Raises LogError if one was opened since the plan."""
    epoch = _open_epoch(adoption.found, adoption.starts, after=adoption.after)
    return f"Epoch {epoch.epoch} is open. Restart gateways, api and persisters."


def _await_topic(topics: KafkaTopics) -> Topic:
    """Returns the topic that the controller has just created; each broker learns of it in its own time."""
    deadline_s = time.monotonic() + _SHOWN_S
    while (found := topics.find()) is None:
        if time.monotonic() > deadline_s:
            raise LogError("the brokers created the topic but do not show it yet: run the command again")
        time.sleep(_AGAIN_S)
    return found


def _open_epoch(found: Topic, starts: Mapping[int, int], *, after: int | None) -> Epoch:
    """Opens the epoch after that one; raises LogError if another command has opened an epoch since."""
    with transaction.atomic():
        lock_epochs()
        known = current_epoch()
        if (None if known is None else known.epoch) != after:
            raise LogError("another command has opened an epoch meanwhile, and this one changed nothing")
        epoch = open_epoch(found)
        begin_archive(epoch.epoch, {partition: starts[partition] for partition in range(found.partitions)})
    return epoch
