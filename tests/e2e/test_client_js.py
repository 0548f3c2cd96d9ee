"""The JavaScript client against the real system: after faults, what it has in view is what the server has."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.histories import Row, archived
from tests.e2e.node_program import NodeProgram, node_program
from tests.e2e.talk import OpenRest
from tests.support.node import CLIENT
from tests.support.process import ROOT, GatewayProcess, PersisterProcess
from tests.support.system import Person, System

_TALK = Path(__file__).parent / "js" / "talk.mjs"
_EXAMPLE = ROOT / "examples" / "chat.mjs"


def _people(ana: Person, bob: Person, gateways: tuple[GatewayProcess, GatewayProcess]) -> str:
    """Returns both people as JSON: Ana keeps her order whatever fails; bob has many on their way at once."""
    pairs = ((ana, bob, gateways[0], 1), (bob, ana, gateways[1], 16))
    return json.dumps(
        [
            {"name": one.username, "token": one.token, "to": other.username, "url": gateway.url, "window": window}
            for one, other, gateway, window in pairs
        ]
    )


async def _more_answers(program: NodeProgram, *people: Person, count: int = 10) -> None:
    """Waits until each of them has so many more answers than now."""

    def answered(person: Person) -> int:
        return max((int(line["answered"]) for line in program.said if line.get("name") == person.username), default=0)

    targets = {person: answered(person) + count for person in people}
    await program.until(lambda: all(answered(p) >= n for p, n in targets.items()), f"{count} more answers of each")


async def _views(program: NodeProgram) -> dict[str, dict[str, Any]]:
    await program.tell("stop")
    await program.until(lambda: program.said and "views" in program.said[-1], "what each has in view")
    assert await program.end_of_input() == 0
    views: dict[str, dict[str, Any]] = program.said[-1]["views"]
    return views


async def _check(
    system: System, ana: Person, bob: Person, views: dict[str, dict[str, Any]], rest: OpenRest, gateway: GatewayProcess
) -> list[Row]:
    """Checks that each view is the archive's rows and REST's history: ids, names, contents and positions, in order."""
    await asyncio.to_thread(system.wait_archived)
    history = await rest(gateway, ana).history(f"users/{bob.username}/messages")
    rows = archived(system, history[0]["conversation"])
    assert [(m["id"], m["client_id"], m["content"], m["position"], m["seq"]) for m in history] == rows
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    by_id = {row.id: row for row in rows}
    for person in (ana, bob):
        told = views[person.username]
        assert [tuple(message) for message in told["view"]] == [row[:4] for row in rows], person
        assert told["twice"] == [], person
        assert told["unfinished"] == 0, person
        for message_id, content, position in told["answered"]:
            assert (by_id[message_id].content, by_id[message_id].position) == (content, position)
        assert told["changes"] > 0, person
        expected = [
            [m["id"], m["content"], m["deleted"], m["reactions"], m["reaction_counts"], bool(m["pinned_at"]), None]
            for m in history
        ]
        assert told["shown"] == expected, person
        said = [row.content for row in rows if row.content.endswith(f" of {person.username}")]
        assert len(said) == len(set(said)) == told["sends"], person
    assert len(rows) == sum(told["sends"] + told["extras"] for told in views.values())
    return rows


def _said(rows: list[Row], person: Person) -> list[int]:
    """Returns the numbers that somebody has given their messages, in the conversation's order."""
    texts = [re.fullmatch(rf"(\d+) of {person.username}", row.content) for row in rows]
    return [int(text[1]) for text in texts if text]


@pytest.mark.timeout(240)  # starts gateways under load, beside whatever else runs
async def test_after_gateways_were_killed_under_load_each_view_is_what_the_archive_and_rest_have(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    ana: Person,
    bob: Person,
    rest: OpenRest,
) -> None:
    async with node_program(_TALK, PEOPLE=_people(ana, bob, (gateway_a, gateway_b))) as program:
        await _more_answers(program, ana, bob)
        for gateway, other in ((gateway_a, bob), (gateway_b, ana)):
            gateway.kill()
            await _more_answers(program, other)
            await asyncio.to_thread(gateway.start)
            await _more_answers(program, ana, bob)
        views = await _views(program)
    rows = await _check(system, ana, bob, views, rest, gateway_a)
    assert _said(rows, ana) == list(range(1, views[ana.username]["sends"]))
    assert views[ana.username]["connects"] >= 2
    assert views[bob.username]["connects"] >= 2
    assert len(rows) > 80


@pytest.mark.timeout(240)  # the same
async def test_a_chat_that_was_saved_ended_and_restored_in_the_middle_has_all_once_and_sends_what_was_begun(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    ana: Person,
    bob: Person,
    rest: OpenRest,
) -> None:
    unfinished = 0
    async with node_program(_TALK, PEOPLE=_people(ana, bob, (gateway_a, gateway_b))) as program:
        await _more_answers(program, ana, bob)
        for turn, person in enumerate((ana, bob)):
            gateway_a.kill()
            await _more_answers(program, bob)
            await program.tell(f"save {person.username}")
            await program.until(lambda n=turn: len(_saved(program)) > n, "the chat is restored")  # type: ignore[misc]  # bound as a default
            await asyncio.to_thread(gateway_a.start)
            await _more_answers(program, ana, bob)
        unfinished = sum(int(line["unfinished"]) for line in _saved(program))
        views = await _views(program)
    assert unfinished > 0
    assert views[ana.username]["closed"] > 0
    rows = await _check(system, ana, bob, views, rest, gateway_a)
    assert _said(rows, ana) == list(range(1, views[ana.username]["sends"]))


def _saved(program: NodeProgram) -> list[dict[str, Any]]:
    return [line for line in program.said if "saved" in line]


async def test_the_example_sends_what_is_typed_shows_what_comes_and_goes_on_after_a_restart(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    ana: Person,
    bob: Person,
    rest: OpenRest,
    tmp_path: Path,
) -> None:
    async def run(typed: str, wanted: str) -> str:
        arguments = (gateway_a.url, bob.username)
        async with node_program(_EXAMPLE, *arguments, cwd=tmp_path, TOKEN=ana.token) as program:
            await program.tell(typed)
            await program.until(lambda: f"{ana.username}: {typed}\n" in program.printed, "what was typed was sent")
            await rest(gateway_b, bob).send(ana.username, wanted)
            await program.until(lambda: f"{bob.username}: {wanted}" in program.printed, "what was written to ana")
            await program.tell(f"/edit {typed}!")
            await program.until(lambda: f"{ana.username} has edited: {typed}!" in program.printed, "the edit")
            assert await program.end_of_input() == 0
        return program.printed

    first = await run("Hello, Bob", "Hello, Ana")
    await rest(gateway_b, bob).send(ana.username, "Are you there?")
    second = await run("Now I am", "Good")
    assert "(open)" in first
    assert "Are you there?" in second
    await asyncio.to_thread(system.wait_archived)
    history = await rest(gateway_a, ana).history(f"users/{bob.username}/messages")
    assert [m["content"] for m in history] == ["Hello, Bob!", "Hello, Ana", "Are you there?", "Now I am!", "Good"]


def test_a_gateway_serves_the_client_as_javascript(gateway_a: GatewayProcess) -> None:
    for file in CLIENT.glob("*.js"):
        answer = httpx.get(f"{gateway_a.url}/static/klatsch/{file.name}", trust_env=False)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/javascript")
        assert answer.content == file.read_bytes()
