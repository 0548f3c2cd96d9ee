"""Readiness is asked for by one asker at a time, and kept for a second."""

import threading

import pytest

from klatsch.api.health import KEPT_S, NotReady, Readiness
from klatsch.core.readiness import Why
from tests.support.waiting import wait_until


class Parts:
    """A clock, and a part that counts how often it was looked at; it is not ready while `away`."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.looks = 0
        self.away = False
        self.may = threading.Event()
        self.may.set()
        self.readiness = Readiness(lambda: self.now_s)

    def check(self) -> None:
        self.looks += 1
        self.may.wait(10)
        if self.away:
            raise NotReady(Why.DOES_NOT_ANSWER)

    def ask(self) -> dict[str, str]:
        return self.readiness.find_not_ready({"log": self.check})


def test_an_answer_is_kept_for_a_second_and_no_longer() -> None:
    parts = Parts()
    assert parts.ask() == {}
    parts.away = True
    parts.now_s += KEPT_S - 0.001
    assert (parts.ask(), parts.looks) == ({}, 1)
    parts.now_s += 0.001
    assert (parts.ask(), parts.looks) == ({"log": "does not answer"}, 2)


def test_who_comes_while_another_looks_gets_what_was_found_before_and_looks_at_nothing() -> None:
    parts = Parts()
    assert parts.ask() == {}
    parts.now_s += KEPT_S
    parts.away = True
    parts.may.clear()
    looking = threading.Thread(target=parts.ask)
    looking.start()
    wait_until(lambda: parts.looks == 2)
    assert [parts.ask() for _ in range(20)] == [{}] * 20
    parts.may.set()
    looking.join()
    assert (parts.ask(), parts.looks) == ({"log": "does not answer"}, 2)


def test_where_nothing_was_found_yet_all_wait_for_one_look() -> None:
    parts = Parts()
    parts.may.clear()
    answers: list[dict[str, str]] = []
    threads = [threading.Thread(target=lambda: answers.append(parts.ask())) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: parts.looks)
    parts.may.set()
    for thread in threads:
        thread.join()
    assert (answers, parts.looks) == ([{}] * 8, 1)


def test_a_look_that_fails_by_a_fault_keeps_nobody_from_the_next_one() -> None:
    parts = Parts()

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        parts.readiness.find_not_ready({"log": fail})
    assert parts.ask() == {}
