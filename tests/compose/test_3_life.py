"""While people talk: what is scaled, killed, replaced, stopped and restored loses nothing and doubles nothing."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.compose.proof import proven
from tests.compose.stack import Stack, wait_until
from tests.compose.talk import conversation, history, rest, until

_AFTER_BACKUP = 500
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
        began_s = time.monotonic()
        before = len(talk.acknowledged)

        def healed() -> bool:
            return all(stack.healthy(one) for one in ("gateway", "api", "persister", "proxy", "kafka", "postgres"))

        await asyncio.to_thread(wait_until, healed, f"all is healthy after {service} was killed", _HEALED_S)
        stack.note(f"all was healthy {time.monotonic() - began_s:.0f} s after {service} was killed")
        [container] = [one for one in stack.containers(service) if one["Id"] == killed]
        assert container["RestartCount"] >= 1
        await until(lambda: len(talk.acknowledged) > before + 5, "people go on talking")


@pytest.mark.parametrize("service", ["gateway", "persister", "api"])
async def test_a_rolling_restart_under_load_loses_nothing(stack: Stack, tmp_path: Path, service: str) -> None:
    async with proven(stack, tmp_path / "evidence") as proof:
        before = {container["Id"] for container in stack.containers(service)}
        await asyncio.to_thread(stack.run, "deploy/roll", service)
        after = {container["Id"] for container in stack.containers(service)}
        assert len(after) == len(before)
        assert not after & before
        await proof.all_go_on(time.monotonic(), _HEALED_S)


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
    began_s = time.monotonic()
    stack.up()
    stack.note(f"`docker compose up --wait` on data that is there took {time.monotonic() - began_s:.0f} s")
    assert history(stack, ana, bob) == before
    assert history(stack, bob, ana) == before


async def test_a_restored_archive_goes_on_from_where_the_backup_ends(stack: Stack, tmp_path: Path) -> None:
    """Restores while people talk: what was said after the backup is in the log, and is stored again, once.

    A removal counts, although the log has later versions of that membership than the backup.
    """
    archive = str(tmp_path / "archive")
    ana, bob = stack.people(2)
    group = _make_group(stack, ana, bob)
    async with proven(stack, tmp_path / "evidence") as proof:
        await asyncio.to_thread(stack.run, "deploy/backup", archive)
        saved = proof.acknowledged
        for role in ("admin", "member", "admin"):
            _change_member(stack, ana, "PATCH", f"{group}/members/{bob['username']}", {"role": role})
        await until(lambda: proof.acknowledged > saved + _AFTER_BACKUP, "more is said after the backup")
        began_s = time.monotonic()
        await asyncio.to_thread(stack.run, "deploy/restore", archive, deadline_s=600)
        took_s = time.monotonic() - began_s + await proof.all_go_on(time.monotonic(), _HEALED_S)
        stack.note(f"a restore took {took_s:.0f} s until everybody was answered again")
    assert stack.sql("SELECT count(*) FROM messaging_deadletter") == "0\n"
    _change_member(stack, ana, "DELETE", f"{group}/members/{bob['username']}")
    person = f"(SELECT id FROM accounts_user WHERE username = '{bob['username']}')"  # noqa: S608 - of this test
    where = f"conversation_id = '{group}' AND user_id = {person}"
    last = f'SELECT active FROM messaging_membershipinterval WHERE {where} ORDER BY "offset" DESC LIMIT 1'  # noqa: S608
    wait_until(lambda: stack.sql(last) == "f\n", "the removal is in the archive, and judges know it", _HEALED_S)


def _make_group(stack: Stack, owner: dict[str, str], member: dict[str, str]) -> str:
    """Returns the id of a group of two people who have written to each other: nobody has to be invited."""
    with rest(stack, owner) as http, rest(stack, member) as theirs:
        assert http.post(f"users/{member['username']}/messages", json={"content": "hi"}).status_code == 201
        assert theirs.post(f"users/{owner['username']}/messages", json={"content": "hi"}).status_code == 201
        made = http.post("conversations", json={"title": "Tea", "members": [member["username"]]})
    assert made.status_code == 201, made.text
    group: str = made.json()["id"]
    return group


def _change_member(stack: Stack, actor: dict[str, str], method: str, path: str, body: Any = None) -> None:
    with rest(stack, actor) as http:
        answer = http.request(method, f"conversations/{path}", json=body)
    assert answer.is_success, answer.text
