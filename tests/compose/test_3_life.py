"""While people talk: what is scaled, killed, replaced, stopped and restored loses nothing and doubles nothing."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.compose.stack import Stack, wait_until
from tests.compose.talk import archived, conversation, history, rest, until

_HEALED_S = 90
_STOP_S = 20  # 15, and some for Compose itself


async def test_more_gateways_apis_and_persisters_share_the_work(stack: Stack) -> None:
    async with conversation(stack):
        scales = ("--scale", "gateway=3", "--scale", "api=2", "--scale", "persister=2")
        await asyncio.to_thread(stack.up, "--no-recreate", *scales)
        counts = {service: len(stack.containers(service)) for service in ("gateway", "api", "persister")}
        assert counts == {"gateway": 3, "api": 2, "persister": 2}
    ana, _ = stack.people(2)
    with rest(stack, ana) as http:
        assert all(http.get("me").status_code == 200 for _ in range(40))
    served = {
        line.split('"to":"')[1].split('"')[0]
        for line in stack.compose("logs", "--no-log-prefix", "proxy").splitlines()
        if '"path":"/api/v1/me"' in line
    }
    assert len(served) >= 2
    # A persister says what it has been given each time that this changes: now each has some.
    said = stack.compose("logs", "--no-log-prefix", "persister")
    assert said.count('"event": "assigned"') >= 2
    stack.up("--scale", "gateway=2")


@pytest.mark.parametrize("service", ["gateway", "api", "persister", "proxy", "kafka", "postgres"])
async def test_whatever_is_killed_comes_back_by_itself_and_nothing_is_lost(stack: Stack, service: str) -> None:
    async with conversation(stack) as talk:
        killed = await asyncio.to_thread(stack.crash, service)
        before = len(talk.acknowledged)

        def healed() -> bool:
            return all(stack.healthy(one) for one in ("gateway", "api", "persister", "proxy", "kafka", "postgres"))

        await asyncio.to_thread(wait_until, healed, f"all is healthy after {service} was killed", _HEALED_S)
        [container] = [one for one in stack.containers(service) if one["Id"] == killed]
        assert container["RestartCount"] >= 1
        await until(lambda: len(talk.acknowledged) > before + 5, "people go on talking")


@pytest.mark.parametrize("service", ["gateway", "persister", "api"])
async def test_a_rolling_restart_under_load_loses_nothing(stack: Stack, service: str) -> None:
    async with conversation(stack) as talk:
        before = {container["Id"] for container in stack.containers(service)}
        await asyncio.to_thread(stack.run, "deploy/roll", service)
        after = {container["Id"] for container in stack.containers(service)}
        assert len(after) == len(before)
        assert not after & before
        said = len(talk.acknowledged)
        await until(lambda: len(talk.acknowledged) > said + 5, "people go on talking")


def test_what_is_stopped_ends_in_order_and_within_the_time_that_the_documents_give(stack: Stack) -> None:
    began_s = time.monotonic()
    stack.compose("stop", "gateway", "persister", "api")
    assert time.monotonic() - began_s < _STOP_S
    for service in ("gateway", "persister", "api"):
        assert {container["State"]["ExitCode"] for container in stack.containers(service)} == {0}
    stack.up()


def test_what_was_said_is_there_after_down_and_up(stack: Stack) -> None:
    ana, bob = stack.people(2)
    with rest(stack, ana) as http:
        assert http.post(f"users/{bob['username']}/messages", json={"content": "to be kept"}).status_code == 201
    before = history(stack, ana, bob)
    stack.down()
    stack.up()
    assert history(stack, ana, bob) == before
    assert history(stack, bob, ana) == before


def test_a_restored_archive_goes_on_from_where_the_backup_ends(stack: Stack, tmp_path: Path) -> None:
    """Nothing that was said after the backup is lost, and nothing from before is stored twice: the log has it."""
    ana, bob = stack.people(2)

    def say(first: int, last: int) -> None:
        with rest(stack, ana) as http:
            for number in range(first, last):
                sent = http.post(f"users/{bob['username']}/messages", json={"content": f"number {number}"})
                assert sent.status_code == 201

    say(0, 20)
    stack.run("deploy/backup", str(tmp_path / "archive"))
    say(20, 50)
    before = history(stack, ana, bob)
    assert len(before) == 50
    stack.run("deploy/restore", str(tmp_path / "archive"), deadline_s=600)
    wait_until(lambda: archived(stack, ana, bob) == 50, "the persister has stored what the log has since the backup")
    assert history(stack, ana, bob) == before
    assert stack.sql("SELECT count(*) FROM messaging_deadletter") == "0\n"
    say(50, 52)
    assert [text for _, _, text in history(stack, bob, ana)] == [f"number {number}" for number in range(52)]


def test_a_changed_password_of_a_role_counts_from_the_next_start(stack: Stack) -> None:
    file = stack.folder / "secrets" / "database_url_app"
    before = file.read_text()
    file.unlink()
    assert "Made secrets/database_url_app." in stack.run("make", "compose-env")
    assert file.read_text() != before
    stack.up("--force-recreate", "roles", "migrate", "grants", "topics", "api", "gateway")
    stack.people(1)
    assert stack.sql("SELECT 1", role="app") == "1\n"
    old = before.strip().replace("@postgres:", "@127.0.0.1:")
    with pytest.raises(AssertionError, match="password authentication failed"):
        stack.inside("postgres", "psql", old, "-qAtc", "SELECT 1")
