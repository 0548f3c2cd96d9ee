"""The frames that the bench sends to Klatsch and to its peers, and those that it takes for answers and deliveries."""

import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from bench.client import Door, Socket
from bench.connections import listening
from bench.connections.fan_out import times_of
from bench.connections.listening import Heard, Listeners, ListeningPlan
from bench.pairs.klatsch import KlatschDialect
from bench.pairs.talk import Pair, Tally
from bench.peers import PEERS
from bench.peers.centrifugo import CentrifugoDialect, LineSocket
from bench.peers.channels_tutorial import TutorialDialect
from bench.peers.ejabberd import EjabberdDialect
from bench.peers.installing import install_packages
from bench.plots.series import cpu_of, latencies_of, rates_of
from bench.rest.http_client import length_of, status_of
from bench.systems import Dialect, OpenPair


class Wire:
    """Stands for a connection: keeps what is sent, and hands over what comes."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.on_text: Callable[[bytes], None] = lambda _payload: None

    def send(self, payload: bytes) -> None:
        self.sent.append(payload)


def sent_by(dialect: Dialect, number: int) -> list[bytes]:
    wire = Wire()
    dialect.send(cast("Socket", wire), number)
    return wire.sent


def test_klatsch_is_sent_the_number_as_the_end_of_a_uuid() -> None:
    [frame] = sent_by(KlatschDialect("bob"), 0xABC)
    sent = json.loads(frame)
    assert (sent["id"], sent["op"], sent["d"]["to"], len(sent["d"]["content"])) == (0xABC, "send", "bob", 100)
    assert sent["d"]["client_id"].endswith("-7000-8000-000000000abc")


def test_klatsch_answers_and_pushes_by_number() -> None:
    dialect = KlatschDialect("bob")
    assert dialect.answer(b'{"re":17,"ok":{"id":"x"}}') == 17
    assert dialect.answer(b'{"re":17,"err":{"code":"rate_limited","detail":"\\"ok\\""}}') == -17
    assert dialect.answer(b'{"t":"mark","resume":"1.2"}') == 0
    push = (
        b'{"t":"message","pos":"1:2:3","d":{"id":"i","client_id":"019f8a3c-5f00-7000-8000-000000000011","content":""}}'
    )
    assert dialect.delivery(push) == 17
    assert dialect.delivery(b'{"t":"mark","resume":"1.2"}') == 0


def test_the_tutorial_gives_everybody_the_text_that_begins_with_the_number() -> None:
    dialect = TutorialDialect()
    [frame] = sent_by(dialect, 17)
    text = json.loads(frame)["message"]
    assert len(text) == 100
    told = json.dumps({"message": text}).encode()
    assert (dialect.answer(told), dialect.delivery(told)) == (17, 17)


def test_ejabberd_acknowledges_by_count_and_delivers_by_id() -> None:
    dialect = EjabberdDialect("bob@localhost/x")
    message, request = sent_by(dialect, 17)
    assert b" id='17' " in message
    assert message.count(b"x") >= 100
    assert request == b"<r xmlns='urn:xmpp:sm:3'/>"
    assert dialect.answer(b"<a h='17' xmlns='urn:xmpp:sm:3'/>") == 17
    assert dialect.answer(b"<message to='a' id='17' type='error'><error/></message>") == -17
    assert dialect.answer(b"<iq type='result' id='9'/>") == 0
    push = b"<message xml:lang='en' to='b' from='a' type='chat' id='17'><stanza-id id='99'/><body>x</body></message>"
    assert dialect.delivery(push) == 17
    assert dialect.delivery(b"<message to='b' from='a' id='17'><composing/></message>") == 0


def test_centrifugo_answers_by_command_and_delivers_by_content() -> None:
    dialect = CentrifugoDialect("pair1")
    [frame] = sent_by(dialect, 17)
    command = json.loads(frame)
    assert command["publish"]["channel"] == "pair1"
    assert len(command["publish"]["data"]["text"]) == 100
    assert dialect.answer(b'{"id":%d,"publish":{}}' % command["id"]) == 17
    assert dialect.answer(b'{"id":%d,"error":{"code":103}}' % command["id"]) == -17
    assert dialect.answer(b'{"push":{"channel":"pair1","pub":{"data":{"n":17,"text":"x"}}}}') == 0
    assert dialect.delivery(b'{"push":{"channel":"pair1","pub":{"data":{"n":17,"text":"x"},"offset":3}}}') == 17
    assert dialect.delivery(b"{}") == 0


def test_a_frame_of_centrifugo_holds_a_message_in_each_line() -> None:
    socket = object.__new__(LineSocket)  # its constructor needs an event loop
    took: list[bytes] = []
    socket.on_text = took.append
    socket.take_text(b'{"id":1}\n{"id":2}\n')
    assert took == [b'{"id":1}', b'{"id":2}']


def open_pair() -> tuple[Pair, Wire, Wire]:
    a, b = Wire(), Wire()
    pair = Pair(OpenPair(cast("Socket", a), cast("Socket", b), KlatschDialect("bob")), Tally())
    return pair, a, b


def push_of(number: int) -> bytes:
    return b'{"t":"message","d":{"client_id":"019f8a3c-5f00-7000-8000-%012x"}}' % number


def test_a_pair_sends_the_next_message_when_one_is_answered() -> None:
    pair, a, b = open_pair()
    pair.running = True
    pair.send()
    a.on_text(b'{"re":1,"ok":{}}')
    b.on_text(push_of(1))
    assert len(a.sent) == 2
    assert (pair.tally.answered, pair.tally.delivered) == (1, 1)
    assert (pair.unanswered, pair.undelivered) == (1, 1)


def test_a_refused_message_is_not_waited_for() -> None:
    pair, a, _ = open_pair()
    pair.send()
    a.on_text(b'{"re":1,"err":{"code":"rate_limited"}}')
    assert (pair.unanswered, pair.undelivered, len(pair.tally.refused)) == (0, 0, 1)


def test_a_message_that_comes_after_a_later_one_is_out_of_order() -> None:
    pair, _, b = open_pair()
    for number in (1, 3, 2, 4):
        b.on_text(push_of(number))
    assert pair.tally.disordered == 1


def test_every_eighth_message_is_timed_to_both_ends() -> None:
    pair, a, b = open_pair()
    for number in range(1, 17):
        pair.send()
        a.on_text(b'{"re":%d,"ok":{}}' % number)
        b.on_text(push_of(number))
    assert (len(pair.tally.answer_s), len(pair.tally.delivery_s)) == (2, 2)


def test_deliveries_are_timed_from_the_one_send() -> None:
    assert times_of([Heard(10.0, [10.5, 11.0]), Heard(None, [10.25])]) == [0.5, 1.0, 0.25]


def test_a_response_tells_its_status_and_length() -> None:
    head = b"HTTP/1.1 201 Created\r\nserver: x\r\nContent-Length: 42\r\n\r\n"
    assert (status_of(head), length_of(head.split(b"\r\n"))) == (201, 42)
    assert length_of([b"HTTP/1.1 204 No Content"]) == 0


def test_a_door_has_the_protocol_of_klatsch_by_default() -> None:
    assert (Door("h", 1).path, Door("h", 1).protocol) == ("/ws", "klatsch.v1")


def test_every_peer_of_the_documentation_can_be_named() -> None:
    assert set(PEERS) == {"tutorial", "ejabberd", "centrifugo-redis", "centrifugo-memory"}


def test_missing_packages_are_named_to_who_may_not_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.peers.installing.is_installed", lambda name: name == "redis-server")
    monkeypatch.setattr("os.getuid", lambda: 1_000)
    said = install_packages()
    assert said.startswith("Not installed: ejabberd, erlang-p1-pgsql.")
    assert "sudo apt-get install" in said


def result(title: str, **changed: Any) -> dict[str, Any]:
    usual = {"title": title, "unit": "message", "counted": 10, "per_second": 5.0, "cpu_us": {}, "latencies": {}}
    return usual | changed


def report(*results: dict[str, Any]) -> dict[str, Any]:
    return {"arguments": {"scenario": "pairs"}, "at": "2026-11-29T14:00:00", "machine": "2 × x", "results": results}


def test_a_plot_of_rates_has_a_bar_for_each_result_that_counted() -> None:
    bars = rates_of(report(result("a"), result("b", counted=0), result("c", per_second=7.0)))
    assert bars is not None
    assert (bars.labels, bars.parts, bars.axis) == (["a", "c"], {"": [5.0, 7.0]}, "messages a second")
    assert bars.title == "bench pairs, 2026-11-29, 2 × x"


def test_a_plot_of_cpu_has_a_part_for_each_kind_of_process_and_none_for_the_total() -> None:
    cpu = {"total": 9.0, "gateway": 4.0, "kafka": 5.0}
    bars = cpu_of(report(result("a", cpu_us=cpu), result("b", cpu_us={"total": 1.0, "redis": 1.0}), result("c")))
    assert bars is not None
    assert bars.parts == {"gateway": [4.0, 0.0], "kafka": [5.0, 0.0], "redis": [0.0, 1.0]}


def test_a_plot_of_latencies_has_a_row_for_each_kind_of_time() -> None:
    latency = {"samples": 3, "p50": 1.0, "p90": 2.0, "p99": 3.0, "p999": 4.0}
    bars = latencies_of(report(result("a", latencies={"answer": latency, "delivery": None})))
    assert bars is not None
    assert bars.labels == ["a: answer"]
    assert bars.parts == {"p50": [1.0], "p90": [2.0], "p99": [3.0], "p999": [4.0]}


def test_there_is_no_plot_of_nothing() -> None:
    nothing = report(result("a", counted=0))
    assert (rates_of(nothing), cpu_of(nothing), latencies_of(nothing)) == (None, None, None)


async def test_a_message_that_comes_before_its_command_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    wires = [Wire(), Wire()]

    async def connect_all(*_: Any) -> list[Wire]:
        return wires

    monkeypatch.setattr(listening, "connect_all", connect_all)
    listeners = Listeners(ListeningPlan([], []))
    await listeners.open()
    for _ in range(2):
        for wire in wires:
            wire.on_text(b'{"t":"message","pos":"0:0:1"}')
        heard = await listeners.hear("conversation")
        assert len(heard.times) == 2
