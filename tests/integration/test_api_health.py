from typing import Any

import pytest
from django.db import connection
from django.test import Client

from klatsch.api import health
from klatsch.api.ports import Ports, WithPorts, ports_of
from klatsch.core.errors import NotArchivedYet, Unavailable
from klatsch.eventlog.log import LogError
from klatsch.eventlog.memory import MemoryLog, MemoryWriter

pytestmark = pytest.mark.django_db


class NoProgress:
    """An archive that never gets anywhere."""

    epoch = 1

    def wait_for(self, partition: int, offset: int, deadline_s: float) -> bool:
        return False

    def wait_for_position(self, at_least: str, deadline_s: float) -> None:
        raise NotArchivedYet("not yet")


def ports(check_log: Any = None) -> Ports:
    return Ports(MemoryWriter(MemoryLog()), NoProgress(), lambda: 0, check_log)


def refuse(_: float) -> None:
    raise LogError("broker kafka-1.internal:9092 is down")


def ready(client: Client, **environ: Any) -> tuple[int, dict[str, str]]:
    answer = client.get("/readyz", **environ)
    body = answer.json()
    assert body["ready"] == (answer.status_code == 200)
    assert answer["Cache-Control"] == "no-store"
    return answer.status_code, body["not_ready"]


def test_a_living_process_says_so_without_asking_anybody(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert client.get("/livez").json() == {"alive": True}


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


class TestWithPorts:
    def call(self, application: WithPorts) -> dict[str, Any]:
        environ: dict[str, Any] = {}
        list(application(environ, lambda *_: None))
        return environ

    def test_ports_are_made_at_the_first_request_and_once(self) -> None:
        made: list[Ports] = []

        def make() -> Ports:
            made.append(ports())
            return made[-1]

        application = WithPorts(lambda *_: [], make)
        assert made == []
        assert self.call(application)["klatsch.ports"] is self.call(application)["klatsch.ports"] is made[0]
        assert len(made) == 1

    def test_while_ports_cannot_be_made_what_needs_none_is_answered_and_then_they_are_made(self) -> None:
        outcomes: list[Any] = [LogError("the broker is away"), ports()]

        def make() -> Ports:
            outcome = outcomes.pop(0)
            if isinstance(outcome, LogError):
                raise outcome
            return outcome  # type: ignore[no-any-return]  # what is left is ports

        application = WithPorts(lambda *_: [], make)
        assert self.call(application)["klatsch.ports"] is None
        assert isinstance(self.call(application)["klatsch.ports"], Ports)


def test_an_endpoint_without_ports_is_unavailable(rf: Any) -> None:
    with pytest.raises(Unavailable):
        ports_of(rf.get("/"))
    request = rf.get("/", **{"klatsch.ports": ports()})
    assert isinstance(ports_of(request), Ports)
