"""A reader that is replaced leaves everything to the one that takes over; one that is closed leaves no thread."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition
from waits import DEADLINE_S

from channels_kafka_layer import Gap
from channels_kafka_layer.connection import Connection
from channels_kafka_layer.errors import KafkaUnavailable
from channels_kafka_layer.reading import Reader, _Run

END = 100
BACK = 40
SLICE = 20


@dataclass(frozen=True)
class Fetched:
    """A record of which only the offset counts."""

    at: int

    def offset(self) -> int:
        return self.at

    def error(self) -> None:
        return None


@dataclass(frozen=True)
class Failed:
    """An error, as the driver hands it over in a record's place."""

    code: int

    def error(self) -> KafkaError:
        return KafkaError(self.code)


@dataclass
class Driver:
    """A consumer of a log of END records; each poll and what follows it give some of them."""

    next: int = END

    def assign(self, places: list[TopicPartition]) -> None:
        self.next = places[0].offset

    def poll(self, _: float) -> Fetched | None:
        if self.next == END:
            return None
        self.next += 1
        return Fetched(self.next - 1)

    def consume(self, _: int, __: float) -> list[Fetched]:
        begin, self.next = self.next, min(self.next + SLICE - 1, END)
        return [Fetched(at) for at in range(begin, self.next)]


@dataclass
class Took:
    """A node that notes what it was given."""

    replayed: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    ends: int = 0

    def replay(self, messages: Iterable[Any]) -> None:
        self.replayed += [message.offset() for message in messages]

    def take(self, messages: Iterable[Any]) -> None:
        self.taken += [message.offset() for message in messages]

    def end_replay(self) -> None:
        self.ends += 1

    def jumped(self, gap: Gap) -> None:
        self.gaps.append(gap)

    def started(self, offset: int) -> None: ...
    def failed(self, error: KafkaUnavailable) -> None: ...
    def moved(self) -> None: ...
    def tick(self) -> None: ...


@dataclass
class Asked:
    """A watch that knows the offset of any time. `meanwhile` happens while the first question waits for its answer."""

    meanwhile: Callable[[], None] | None = None

    def offset_at(self, _: int) -> int:
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()
        return BACK

    def has_answered_since(self, _: float) -> bool:
        return True

    def close(self, _: float) -> None: ...


class Readers:
    """A reader at the log's end, and the runs that serve it one after the other."""

    def __init__(self) -> None:
        self.node = Took()
        self.watch: Any = Asked()
        self.reader = Reader(Connection("nowhere:1", "channels"), self.node, 1.0)
        self.reader.position = END

    def take_over(self) -> Callable[[], None]:
        """Makes a run the present one; returns what it does in a turn."""
        run, driver = _Run(), Driver()
        consumer: Any = driver
        with self.reader._lock:
            self.reader._run = run
        driver.next = self.reader.position
        return lambda: self.reader._turn(run, consumer, self.watch)


@pytest.fixture
def readers() -> Readers:
    return Readers()


def test_a_reader_replaced_while_it_asks_where_to_read_back_from_does_not_move_the_next_one(readers: Readers) -> None:
    first = readers.take_over()
    next_turns: list[Callable[[], None]] = []

    def replace() -> None:
        next_turns.append(readers.take_over())
        next_turns[0]()

    readers.watch.meanwhile = replace
    readers.reader.read_back(1)
    first()
    for _ in range(END // SLICE):
        next_turns[0]()
    node = readers.node
    assert node.gaps == []
    assert node.replayed == list(range(BACK, END))
    assert (node.ends, node.taken) == (1, [])
    assert readers.reader.position == END


def test_a_reader_replaced_while_it_asks_leaves_the_request_to_the_next_one(readers: Readers) -> None:
    first = readers.take_over()
    next_turns: list[Callable[[], None]] = []
    readers.watch.meanwhile = lambda: next_turns.append(readers.take_over())
    readers.reader.read_back(1)
    first()
    assert readers.reader.position == END
    for _ in range(END // SLICE):
        next_turns[0]()
    assert readers.node.replayed == list(range(BACK, END))
    assert readers.node.ends == 1


class OnWarning(logging.Handler):
    """Does something when the reader first warns."""

    def __init__(self, does: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._due = [does]

    def emit(self, _: logging.LogRecord) -> None:
        if self._due:
            self._due.pop()()


@pytest.fixture
def on_warning() -> Iterator[Callable[[Callable[[], None]], None]]:
    log, handlers = logging.getLogger("channels_kafka_layer.reading"), list[OnWarning]()

    def do(does: Callable[[], None]) -> None:
        handlers.append(OnWarning(does))
        log.addHandler(handlers[-1])

    yield do
    for handler in handlers:
        log.removeHandler(handler)


def test_a_reader_closed_while_the_watch_replaces_it_is_not_replaced(
    readers: Readers, on_warning: Callable[[Callable[[], None]], None]
) -> None:
    readers.take_over()
    reader = readers.reader
    reader._watch = readers.watch
    reader._moved = (END, float("-inf"))
    on_warning(lambda: reader.close(0))
    before = set(threading.enumerate())
    reader._look(END + 1)
    for thread in set(threading.enumerate()) - before:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def test_a_reader_closed_while_it_begins_leaves_no_watch(hosts: str, topic: str) -> None:
    begins, may_go_on = threading.Event(), threading.Event()

    def prepare() -> None:
        begins.set()
        may_go_on.wait(DEADLINE_S)

    reader = Reader(Connection(hosts, topic), Took(), DEADLINE_S, prepare)
    reader.start()
    assert reader._run is not None
    begun = reader._run.thread
    assert begun is not None
    begins.wait(DEADLINE_S)
    reader.close(0)
    may_go_on.set()
    begun.join(DEADLINE_S)
    assert reader._watch is not None
    watching = reader._watch._thread
    watching.join(DEADLINE_S)
    assert not watching.is_alive()


@pytest.mark.parametrize(
    ("code", "lines"), [(KafkaError.GROUP_AUTHORIZATION_FAILED, 0), (KafkaError.TOPIC_AUTHORIZATION_FAILED, 1)]
)
def test_a_right_to_a_consumer_group_is_not_missed(
    readers: Readers, caplog: pytest.LogCaptureFixture, code: int, lines: int
) -> None:
    """The driver looks for its group's coordinator, although no group is joined."""
    nothing: Any = None
    failed: Any = Failed(code)
    readers.reader._take(nothing, [failed], readers.watch)
    assert len(caplog.messages) == lines
