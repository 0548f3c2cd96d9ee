"""Forks beside lookups of names: real processes, and the C library's real lock."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from waits import DEADLINE_S

from channels_kafka_layer import KafkaChannelLayer, forking
from channels_kafka_layer.errors import KafkaUnavailable

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
_USABLE, _TOLD, _OTHER = 0, 3, 4


@pytest.fixture
def lookups() -> Iterator[None]:
    """Runs a thread that looks up names all the time, as the driver's do while they connect."""
    is_over = threading.Event()

    def look_up() -> None:
        while not is_over.is_set():
            socket.getaddrinfo("127.0.0.1", 0, flags=socket.AI_ADDRCONFIG)

    thread = threading.Thread(target=look_up)
    thread.start()
    yield
    is_over.set()
    thread.join()


def forked(use: Callable[[], None] = forking.check_lookups) -> int:
    """Returns how a child ended that does this, or makes a client of its own."""
    child = os.fork()
    if child == 0:
        result = _OTHER
        try:
            use()
            result = _USABLE
        except KafkaUnavailable as error:
            result = _TOLD if "looked up a name" in str(error) else _OTHER
        finally:
            os._exit(result)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.usefixtures("lookups")
def test_a_child_that_inherited_a_lock_of_the_resolver_says_so_and_ends() -> None:
    until_s = time.monotonic() + DEADLINE_S
    while (result := forked()) == _USABLE:
        assert time.monotonic() < until_s, "no child inherited the lock: this C library may be without the fault"
    assert result == _TOLD


def test_a_child_without_such_a_lock_is_usable() -> None:
    assert forked() == _USABLE


def test_a_fork_waits_for_a_client_that_is_made_while_it_waits() -> None:
    made_s: list[float] = []

    def make() -> None:
        forking.client_begins()
        made_s.append(time.monotonic())

    forking.client_begins()
    later = threading.Timer(0.5, make)
    later.start()
    assert forked() == _USABLE
    assert time.monotonic() - made_s[0] >= 1.0


def test_a_child_whose_first_lookup_took_long_is_usable_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in that moment, say: the lookup's thread gets as little time as the one that waits for it."""
    may_go_on = threading.Event()
    monkeypatch.setattr(forking, "_look_up", lambda: may_go_on.wait(DEADLINE_S))
    monkeypatch.setattr(forking, "_ANSWER_S", 0.01)

    def check_twice() -> None:
        with pytest.raises(KafkaUnavailable):
            forking.check_lookups()
        may_go_on.set()
        for thread in threading.enumerate():
            if thread.name == "channels-kafka-lookup":
                thread.join(DEADLINE_S)
        forking.check_lookups()

    assert forked(check_twice) == _USABLE


async def test_a_fork_waits_until_a_client_that_was_just_made_has_looked_up_its_names(hosts: str, topic: str) -> None:
    layer = KafkaChannelLayer(hosts=hosts, topic=topic)
    began_s = time.monotonic()
    await layer.group_send("group", {"type": "test.message"})
    assert forked() == _USABLE
    assert time.monotonic() - began_s >= 1.0
    again_s = time.monotonic()
    assert forked() == _USABLE
    assert time.monotonic() - again_s < 1.0
    await layer.close()
