"""Reachability: whether PostgreSQL is away, by the last attempt to connect, and who tries again."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from klatsch.postgres.base import PROBE_EVERY_S, Reachability


class Server:
    """Answers attempts to connect, or refuses them; with `slow`, only when that is set."""

    def __init__(self) -> None:
        self.is_up = True
        self.attempts = 0
        self.now = 100.0
        self.slow: threading.Event | None = None
        self.asked = threading.Event()

    def connect(self, **_: Any) -> Any:
        self.attempts += 1
        self.asked.set()
        if self.slow is not None:
            self.slow.wait(10)
        if not self.is_up:
            raise psycopg.OperationalError("refused")
        return self

    def close(self) -> None:
        """Does nothing: it holds nothing."""


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def reachable(server: Server) -> Reachability:
    return Reachability(server.connect, lambda: server.now)


def fail() -> None:
    raise AssertionError("nothing was to be made anew")


def test_the_last_attempt_of_the_pool_says_whether_it_is_away(server: Server, reachable: Reachability) -> None:
    assert not reachable.is_away
    server.is_up = False
    with pytest.raises(psycopg.OperationalError):
        reachable.connect()
    assert reachable.is_away
    server.is_up = True
    reachable.connect()
    assert not reachable.is_away


def test_in_an_outage_one_at_a_time_tries_now_and_then(server: Server, reachable: Reachability) -> None:
    server.is_up = False
    reachable.is_away = True
    for attempts in (1, 1, 1):
        with pytest.raises(psycopg.OperationalError):
            reachable.come_back({}, fail)
        assert server.attempts == attempts
    server.now += PROBE_EVERY_S
    server.slow = threading.Event()
    server.asked.clear()
    with ThreadPoolExecutor(1) as threads:
        trying = threads.submit(reachable.come_back, {}, fail)
        server.asked.wait()
        with pytest.raises(psycopg.OperationalError):
            reachable.come_back({}, fail)
        server.slow.set()
        assert isinstance(trying.exception(), psycopg.OperationalError)
    assert server.attempts == 2


def test_who_reaches_it_makes_the_pool_anew_before_others_go_on(server: Server, reachable: Reachability) -> None:
    reachable.is_away = True
    seen: list[bool] = []
    reachable.come_back({}, lambda: seen.append(reachable.is_away))
    assert (seen, reachable.is_away) == ([True], False)
