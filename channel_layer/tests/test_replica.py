"""All processes compute one state, newcomers too."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from channels_kafka_layer import records
from channels_kafka_layer.records import Record, head, key_of, pack_fields, pack_group
from channels_kafka_layer.replica import Applied, Replica

LIFE_MS = 1_000
WINDOW_MS = 1_500


@dataclass
class Log:
    """A log, and replicas that have read all of it."""

    written: list[Record] = field(default_factory=list)
    replicas: list[Replica] = field(default_factory=list)
    now_ms: int = 0
    _number: int = 0

    def write(self, kind: bytes, name: str, payload: bytes, node: bytes = b"node-aaa") -> list[Applied]:
        """Writes a record, which all replicas apply; returns what those made of it who know the state."""
        self._number += 1
        key = key_of(kind, name)
        record = Record(key, head(node, self._number) + payload, len(self.written), self.now_ms)
        self.written.append(record)
        applied = [(replica, replica.apply(record)) for replica in self.replicas]
        return [result for replica, result in applied if replica.is_agreed]

    def send(self, channel: str = "c", capacity: int = 2) -> list[Applied]:
        return self.write(records.QUEUED, channel, pack_fields(capacity, LIFE_MS, b"%d" % self._number))

    def offer(self, number: int, channel: str = "c", life_ms: int = 300) -> list[Applied]:
        return self.write(records.OFFER, channel, pack_fields(number, life_ms, True))

    def begin(self) -> tuple[Replica, bool]:
        """Adds a newcomer that has read back; returns whether it has to ask."""
        newcomer = Replica()
        for record in self.written:
            if record.time_ms >= self.now_ms - WINDOW_MS:
                newcomer.apply(record)
        must_ask = newcomer.end_replay()
        self.replicas.append(newcomer)
        return newcomer, must_ask

    def ask(self) -> int:
        self.write(records.HELLO, "", b"")
        return len(self.written) - 1

    def answer(self, replica: Replica, hello: int) -> None:
        answer = replica.answer_to(hello)
        if answer is not None:
            self.write(records.STATE, "", pack_fields(*answer))


def states(log: Log) -> list[object]:
    return [replica.state.snapshot() for replica in log.replicas if replica.is_agreed]


def test_the_first_process_of_a_silent_log_knows_the_state_at_once() -> None:
    replica, must_ask = Log().begin()
    assert not must_ask
    assert replica.is_agreed


def test_reading_back_alone_would_give_another_state() -> None:
    """An offer took a message from before the window: a newcomer that trusts its window gives it the next one."""
    log = Log()
    log.begin()
    log.send()
    log.now_ms = 900
    log.send()
    log.offer(1)  # takes the first
    log.now_ms = 1_700
    newcomer, must_ask = log.begin()
    assert must_ask
    assert newcomer.state.snapshot() != log.replicas[0].state.snapshot()
    log.answer(log.replicas[0], log.ask())
    assert newcomer.is_agreed
    assert newcomer.state.snapshot() == log.replicas[0].state.snapshot()
    [first, second] = log.offer(2)
    assert first == second
    assert [match.message.body for match in first.matches] == [b"1"]


def test_what_comes_between_a_hello_and_its_answer_counts_too() -> None:
    log = Log()
    log.begin()
    log.send(capacity=3)
    newcomer, _ = log.begin()
    hello = log.ask()
    log.send(capacity=3)
    log.offer(1)
    log.send(capacity=3)
    log.answer(log.replicas[0], hello)
    assert newcomer.is_agreed
    assert states(log)[0] == states(log)[1]
    [first, second] = log.offer(2)
    assert first == second
    assert [match.message.place for match in first.matches] == [2]


def test_a_flush_is_a_state_that_everybody_knows() -> None:
    log = Log()
    log.begin()
    log.send()
    log.write(records.FLUSH, "", b"")
    newcomer, must_ask = log.begin()
    assert not must_ask
    assert newcomer.is_agreed
    assert states(log)[0] == states(log)[1]


def test_a_newcomer_whom_nobody_answers_founds_the_state_for_others() -> None:
    log = Log()
    log.begin()
    log.send()
    log.replicas.clear()  # all processes died
    first, _ = log.begin()
    second, _ = log.begin()
    hello = log.ask()
    later = log.ask()
    log.answer(first, hello)
    assert first.is_agreed
    assert second.is_agreed
    log.answer(second, later)
    assert states(log)[0] == states(log)[1]
    [one, other] = log.offer(1)
    assert one == other
    assert one.matches[0].message.body == b"0"


def test_the_first_answer_counts_for_everybody_even_where_another_differs() -> None:
    log = Log()
    log.begin()
    log.send()
    newcomer, _ = log.begin()
    hello = log.ask()
    mistaken = Replica()
    log.write(records.STATE, "", pack_fields(hello, mistaken.state.snapshot()))
    log.answer(log.replicas[0], hello)
    assert newcomer.is_agreed
    assert states(log)[0] == states(log)[1]


def test_an_answer_that_comes_too_late_counts_for_nobody() -> None:
    log = Log()
    log.begin()
    log.send()
    newcomer, _ = log.begin()
    hello = log.ask()
    log.now_ms += 10_001
    log.answer(log.replicas[0], hello)
    assert not newcomer.is_agreed


def test_an_unanswered_hello_keeps_nothing_after_ten_seconds_of_the_log() -> None:
    log = Log()
    replica, _ = log.begin()
    hello = log.ask()
    log.now_ms += 10_000
    log.send()
    assert replica.answer_to(hello) is not None
    log.now_ms += 1
    log.send()
    assert replica.answer_to(hello) is None


def test_a_group_sends_to_its_normal_channels() -> None:
    log = Log()
    log.begin()
    log.write(records.JOIN, "c", pack_fields("g", LIFE_MS, 1))
    log.write(records.GROUP, "g", pack_group(LIFE_MS, b"first"))
    [result] = log.write(records.GROUP, "g", pack_group(LIFE_MS, b"second"))
    assert (result.members, result.full_members) == (1, 1)
    [taken] = log.offer(1)
    assert taken.matches[0].message.body == b"first"


KINDS = ["send", "send", "offer", "offer", "renew", "withdraw", "return", "join", "repeat", "leave", "group", "flush"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from([*KINDS, "begin", "answer", "sweep", "wait"]),
        st.integers(min_value=1, max_value=4),
        st.sampled_from("cd"),
    ),
    max_size=120,
)


@given(steps=STEPS)
def test_all_who_know_the_state_have_the_same_and_take_each_message_once(steps: list[tuple[str, int, str]]) -> None:
    log, asked, taken = Log(), list[int](), list[tuple[str, int]]()
    log.begin()
    for what, number, channel in steps:
        results: list[Applied] = []
        if what == "send":
            results = log.send(channel)
        elif what == "offer":
            results = log.offer(len(log.written), channel, number * 100)
        elif what == "renew":
            results = log.write(records.OFFER, channel, pack_fields(len(log.written) - number, 300, False))
        elif what == "withdraw":
            results = log.write(records.WITHDRAW, channel, pack_fields(len(log.written) - number))
        elif what == "return" and taken:
            name, place = taken.pop()
            results = log.write(records.RETURN, name, pack_fields(place, log.now_ms + 400, b"again"))
        elif what == "join":
            results = log.write(records.JOIN, channel, pack_fields("g", WINDOW_MS - LIFE_MS, number))
        elif what == "repeat":
            results = log.write(records.RENEW, channel, pack_fields("g", WINDOW_MS - LIFE_MS, number))
        elif what == "leave":
            results = log.write(records.LEAVE, channel, pack_fields("g"))
        elif what == "group":
            results = log.write(records.GROUP, "g", pack_group(LIFE_MS, b"to all"))
        elif what == "flush":
            results = log.write(records.FLUSH, "", b"")
        elif what == "begin" and len(log.replicas) < 5:
            if log.begin()[1]:
                asked.append(log.ask())
        elif what == "answer" and asked:
            log.answer(log.replicas[0], asked.pop(0))
        elif what == "sweep":
            log.replicas[number % len(log.replicas)].state.sweep()
        elif what == "wait":
            log.now_ms += number * 100
        assert all(result == results[0] for result in results)
        for match in results[0].matches if results else ():
            assert match.message.body is not None
            assert (match.channel, match.message.place) not in taken
            taken.append((match.channel, match.message.place))
        assert all(state == states(log)[0] for state in states(log))


def test_records_that_only_some_processes_look_into_move_nobodys_time() -> None:
    """A group without normal channels concerns only its members' processes; then the broker's clock is set back."""
    log = Log()
    member, _ = log.begin()
    other, _ = log.begin()
    log.now_ms = 1_000
    member.apply(Record(key_of(records.GROUP, "g"), head(b"node-aaa", 0) + pack_group(LIFE_MS, b""), 0, log.now_ms))
    log.now_ms = 600
    log.offer(1, life_ms=300)
    assert member.state.snapshot() == other.state.snapshot()
