"""Signals of the client, shown and asked for over each new connection: who types and who is online."""

import json
import math

from klatsch_client.frames import Rejected
from klatsch_client.signals import Signals


def test_what_holds_for_a_connection_is_said_again_on_the_next_and_typing_is_not() -> None:
    signals = Signals()
    signals.open(["one"])
    signals.watch(["bob", "carol"])
    signals.type("one", 0, on=True)
    asked = [json.loads(text) for text in signals.take_due(0)]
    assert asked == [
        {"id": "open", "op": "open", "d": {"conversations": ["one"]}},
        {"id": "presence", "op": "presence", "d": {"users": ["bob", "carol"]}},
        {"op": "typing", "d": {"conversation": "one", "on": True}},
    ]
    assert signals.take_due(1) == []
    signals.type("one", 2, on=True)
    assert signals.take_due(2) == [], "once in 3 s"
    signals.type("one", 2.1, on=False)
    signals.type("one", 2.2, on=True)
    assert [json.loads(text)["d"]["on"] for text in signals.take_due(3)] == [True]
    signals.type("two", 3, on=True)
    signals.lose_connection()
    assert [json.loads(text) for text in signals.take_due(4)] == asked[:2]


def test_what_cannot_be_shown_now_is_asked_for_again_and_what_never_can_is_not() -> None:
    signals = Signals()
    signals.open(["one"])
    signals.take_due(0)
    late = Rejected("open", "rate_limited", "why", True, 2)
    assert signals.take_answer(late, 10) is None
    assert signals.next_due_s() == 12
    assert len(signals.take_due(12)) == 1
    never = Rejected("open", "bad_request", "why", False, None)
    assert signals.take_answer(never, 13) == never
    assert signals.next_due_s() == math.inf
