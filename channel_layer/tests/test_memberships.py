"""A normal channel that has left a group stays out of it, whatever the process missed that repeats its membership."""

import pytest
from test_following import EXPIRY_S, FOUND_S, Log, Process

from channels_kafka_layer import records
from channels_kafka_layer.records import key_of, pack_fields

REPEAT_S = EXPIRY_S / 2 + 1
"""The time after which a membership has been repeated."""


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def other(log: Log) -> Process:
    """Returns a process that knows the state."""
    other = Process(log, b"worker-0")
    other.begin()
    other.read()
    other.read_back()
    assert other.following.is_agreed
    return other


@pytest.fixture
async def worker(log: Log, other: Process) -> Process:
    """Returns a process that knows the state, and has added a channel to a group."""
    worker = Process(log, b"worker-1")
    worker.begin()
    learn(log, worker, other)
    worker.following.join("g", "tasks", 100, log.now_s, None)
    worker.read()
    other.read()
    assert other.following.has_members("g")
    return worker


def learn(log: Log, asking: Process, *others: Process) -> None:
    """Lets a process learn the state from the others, or find it where there are none."""
    asking.read()
    asking.read_back()
    asking.read()
    for each in others:
        each.read()
    log.now_s += FOUND_S
    for each in (*others, asking):
        each.tick()
        each.read()
    asking.read()
    assert asking.following.is_agreed


def leave(log: Log) -> None:
    """Appends what a process does that removes the channel from the group and ends."""
    log.append(key_of(records.LEAVE, "tasks"), pack_fields("g"), b"manage.py"[:8])


def write_anything(log: Log) -> None:
    """Appends a record that changes nothing: the state's time is that of the latest record."""
    log.append(key_of(records.WITHDRAW, "nothing"), pack_fields(0), b"manage.py"[:8])


def miss(log: Log, process: Process) -> None:
    """Lets the log lose all that the process has not read."""
    process.position = len(log.written)
    process.following.restart(log.now_s)


def go_on(log: Log, *processes: Process, seconds: float = 2 * EXPIRY_S) -> None:
    """Lets time pass, in which all read and repeat."""
    for _ in range(int(seconds // REPEAT_S)):
        log.now_s += REPEAT_S
        for process in processes:
            process.tick()
        for _ in range(2):
            for process in processes:
                process.read()


async def test_a_membership_lasts_as_long_as_its_process_repeats_it(log: Log, worker: Process, other: Process) -> None:
    go_on(log, worker, other)
    assert other.following.has_members("g")
    go_on(log, other)
    write_anything(log)
    other.read()
    assert not other.following.has_members("g")


async def test_a_channel_that_left_while_its_process_learned_the_state_anew_stays_out(
    log: Log, worker: Process, other: Process
) -> None:
    miss(log, worker)
    leave(log)
    learn(log, worker, other)
    go_on(log, worker, other)
    assert not other.following.has_members("g")
    assert not worker.following.has_members("g")


async def test_a_channel_that_left_in_a_gap_stays_out(log: Log, worker: Process, other: Process) -> None:
    leave(log)
    other.read()
    miss(log, worker)
    learn(log, worker, other)
    go_on(log, worker, other)
    assert not other.following.has_members("g")
    assert not worker.following.has_members("g")


async def test_a_channel_that_left_in_a_gap_stays_out_where_nobody_else_can_tell(log: Log) -> None:
    alone = Process(log, b"worker-1")
    alone.begin()
    learn(log, alone)
    alone.following.join("g", "tasks", 100, log.now_s, None)
    alone.read()
    leave(log)
    log.now_s += 2 * EXPIRY_S
    miss(log, alone)
    learn(log, alone)
    go_on(log, alone)
    assert not alone.following.has_members("g")


async def test_a_member_that_did_not_leave_outlives_a_gap(log: Log, worker: Process, other: Process) -> None:
    miss(log, worker)
    learn(log, worker, other)
    go_on(log, worker, other)
    assert other.following.has_members("g")
    assert worker.following.has_members("g")


async def test_a_channel_added_again_right_after_a_gap_stays_a_member(
    log: Log, worker: Process, other: Process
) -> None:
    leave(log)
    other.read()
    miss(log, worker)
    worker.following.join("g", "tasks", 100, log.now_s, None)
    learn(log, worker, other)
    go_on(log, worker, other)
    assert other.following.has_members("g")
    assert worker.following.has_members("g")


async def test_a_repetition_that_crosses_a_departure_does_not_undo_it(
    log: Log, worker: Process, other: Process
) -> None:
    leave(log)
    log.now_s += REPEAT_S
    worker.tick()
    other.read()
    assert not other.following.has_members("g")
    worker.read()
    assert not worker.following.has_members("g")


async def test_a_membership_that_ended_while_its_process_stood_still_comes_back(
    log: Log, worker: Process, other: Process
) -> None:
    go_on(log, other)
    write_anything(log)
    other.read()
    assert not other.following.has_members("g")
    worker.tick()
    worker.read()
    other.read()
    assert other.following.has_members("g")


async def test_a_newcomer_that_nobody_answers_knows_a_membership_by_its_repetitions(log: Log, worker: Process) -> None:
    begin = len(log.written)
    log.now_s += REPEAT_S
    worker.tick()
    log.written[:begin] = [log.written[0]] * begin  # all that was before is gone, or means nothing
    newcomer = Process(log, b"worker-2")
    newcomer.begin()
    learn(log, newcomer)
    assert newcomer.following.has_members("g")
