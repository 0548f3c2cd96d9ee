import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection
from django.http import HttpRequest
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from klatsch.api import health
from klatsch.api.ports import Ports, WithPorts, ports_of
from klatsch.core.bucket import Buckets
from klatsch.core.caps import AtOnce
from klatsch.core.errors import NotArchivedYet, Unavailable
from klatsch.eventlog.log import LogError
from klatsch.eventlog.memory import MemoryLog, MemoryTail, MemoryWriter
from klatsch.messaging.marking import Marking

pytestmark = pytest.mark.django_db


class NoProgress:
    """An archive that never gets anywhere."""

    epoch = 1

    def wait_for(self, partition: int, offset: int, deadline_s: float) -> bool:
        return False

    def wait_for_position(self, at_least: str, deadline_s: float) -> None:
        raise NotArchivedYet("not yet")


def ports(check_log: Any = None) -> Ports:
    return Ports(
        log=MemoryWriter(log := MemoryLog()),
        ends=MemoryTail(log),
        progress=NoProgress(),
        clock=lambda: 0,
        rates=Buckets(0),
        changes=Buckets(0),
        waits=AtOnce(0, cap="waits", refusal=Unavailable, detail=""),
        fresh_since_ms=0,
        marking=Marking(MemoryWriter(log), shown_most=20),
        check_log=check_log,
    )


def refuse(_: float) -> None:
    raise LogError("broker kafka-1.internal:9092 is down")


def ready(client: Client, **environ: Any) -> tuple[int, dict[str, str]]:
    """Returns what is found by a look that nobody has kept."""
    health._KEPT._found = None
    answer = client.get("/readyz", **environ)
    body = answer.json()
    assert body["ready"] == (answer.status_code == 200)
    assert answer["Cache-Control"] == "no-store"
    return answer.status_code, body["not_ready"]


def test_a_living_process_says_so_without_asking_anybody(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert client.get("/livez").json() == {"alive": True}


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/readyz"])
def test_probes_are_answered_under_any_name_and_nothing_else_is(client: Client, path: str) -> None:
    by_address: dict[str, Any] = {"HTTP_HOST": "172.20.0.7:8000", "klatsch.ports": ports(lambda _: None)}
    health._KEPT._found = None
    assert client.get(path, **by_address).status_code == 200
    assert client.get("/api/v1/me", **by_address).status_code == 400


def test_a_process_with_database_and_log_is_ready(client: Client) -> None:
    assert ready(client, **{"klatsch.ports": ports(lambda _: None)}) == (200, {})


def test_a_log_that_does_not_answer_is_named_and_its_address_is_not(client: Client) -> None:
    assert ready(client, **{"klatsch.ports": ports(refuse)}) == (503, {"log": "does not answer"})
    assert ready(client) == (503, {"log": "cannot be reached"})


def test_a_database_that_does_not_answer_is_named_within_the_deadline(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    status, missing = ready(client, **{"klatsch.ports": ports()})
    assert (status, missing) == (503, {"database": "does not answer", "migrations": "does not answer"})


def test_a_database_that_takes_too_long_does_not_answer() -> None:
    with pytest.raises(health.NotReady, match="does not answer"):
        health._ask("SELECT pg_sleep(5)", deadline_s=0.1)


def test_a_database_that_takes_no_writes_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "options", "-c default_transaction_read_only=on")
    with pytest.raises(health.NotReady, match="is read-only"):
        health.check_database()


def test_a_migration_that_is_not_applied_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    health.check_migrations()
    monkeypatch.setattr(health, "_last_migrations", lambda: frozenset({("accounts", "9999_next")}))
    with pytest.raises(health.NotReady, match="is not migrated"):
        health.check_migrations()


def test_an_empty_database_is_not_migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "NAME", "postgres")
    health.check_database()
    with pytest.raises(health.NotReady, match="is not migrated"):
        health.check_migrations()


Lost = Callable[[LogError], None]


class TestWithPorts:
    def requests(self, make: Callable[[Lost], Ports]) -> Callable[[], HttpRequest]:
        """Returns a function each call of which is a request through one WithPorts."""
        seen: list[dict[str, Any]] = []

        def application(environ: dict[str, Any], _: Any) -> list[bytes]:
            seen.append(environ)
            return []

        with_ports = WithPorts(application, make, Buckets(0))

        def request() -> HttpRequest:
            with_ports(RequestFactory().get("/").environ, print)
            return WSGIRequest(seen[-1])

        return request

    def test_ports_are_made_by_the_first_request_that_needs_them_and_once(self) -> None:
        made: list[Ports] = []

        def make(_: Lost) -> Ports:
            made.append(ports())
            return made[-1]

        request = self.requests(make)
        first, second = request(), request()
        assert made == []
        assert ports_of(first) is ports_of(second) is ports_of(request()) is made[0]
        assert len(made) == 1

    def test_ports_that_cannot_be_made_are_tried_again_by_the_next_request(self) -> None:
        outcomes: list[Ports | LogError] = [LogError("the broker is away"), ports()]

        def make(_: Lost) -> Ports:
            outcome = outcomes.pop(0)
            if isinstance(outcome, LogError):
                raise outcome
            return outcome

        request = self.requests(make)
        with pytest.raises(Unavailable) as caught:
            ports_of(request())
        assert caught.value.retry_after == 1
        assert isinstance(ports_of(request()), Ports)

    def test_ports_that_are_lost_are_closed_and_made_anew_by_the_next_request(self) -> None:
        closed, losers = threading.Event(), list[Lost]()

        def make(lost: Lost) -> Ports:
            losers.append(lost)
            return dataclasses.replace(ports(), close=closed.set)

        request = self.requests(make)
        first = ports_of(request())
        losers[0](LogError("the topic was made again"))

        assert closed.wait(5)
        assert ports_of(request()) is not first
        assert len(losers) == 2

    def test_no_request_waits_for_them_longer_than_its_bound(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("klatsch.api.ports.WAIT_S", 0.01)
        answered = threading.Event()

        def make(_: Lost) -> Ports:
            assert answered.wait(5)
            return ports()

        request = self.requests(make)
        for _ in range(2):
            with pytest.raises(Unavailable):
                ports_of(request())
        answered.set()
        monkeypatch.setattr("klatsch.api.ports.WAIT_S", 5)
        assert isinstance(ports_of(request()), Ports)


def test_a_server_without_ports_is_unavailable_to_what_needs_them(rf: RequestFactory) -> None:
    with pytest.raises(Unavailable):
        ports_of(rf.get("/"))
