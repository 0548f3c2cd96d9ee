"""A rolling upgrade from the version before edits, reactions, pins and markers, by the documents, while people talk."""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.compose.stack import IMAGE, Stack, pull
from tests.compose.talk import rows_of, until
from tests.compose.test_3_upkeep import documented
from tests.compose.upgrading import LIKED, Changer, OldTalk, RestTalk

_OURS = ("persister", "gateway", "api")
_GO_ON_S = 90
_MORE = 100
_CHANGES = 20


async def go_on(talks: Sequence[OldTalk], by_rest: RestTalk) -> None:
    """Returns when everybody has been answered for more than was on its way."""
    before, rest_before = [talk.acknowledged for talk in talks], len(by_rest.said)

    def answered() -> bool:
        more = [talk.acknowledged - had for talk, had in zip(talks, before, strict=True)]
        return min(more) >= _MORE and len(by_rest.said) - rest_before >= _MORE // 10

    await until(answered, "everybody goes on", _GO_ON_S)


@asynccontextmanager
async def people_talk(talks: Sequence[OldTalk], by_rest: RestTalk, changer: Changer) -> AsyncIterator[asyncio.Event]:
    """Has everybody talk; the changer begins with the event that is given, and all end with the block."""
    begin, stop = asyncio.Event(), asyncio.Event()

    async def change() -> None:
        await begin.wait()
        await changer.run(stop)

    try:
        for talk in talks:
            await talk.start()
        async with asyncio.TaskGroup() as group:
            group.create_task(by_rest.run(stop))
            group.create_task(change())
            yield begin
            stop.set()
        for talk in talks:
            await talk.stop()
    finally:
        stop.set()
        for talk in talks:
            talk.kill()


async def hold_the_mixture(
    stack: Stack, talks: Sequence[OldTalk], by_rest: RestTalk, changer: Changer, begin: asyncio.Event
) -> None:
    """Runs one new gateway beside the old ones, to which everybody else stays connected, while messages are changed."""
    old = {container["Id"] for container in stack.containers("gateway")}
    one_more = ["--no-deps", "--no-recreate", "--scale", f"gateway={len(old) + 1}", "gateway"]
    await asyncio.to_thread(stack.up, *one_more)
    begin.set()
    before = len(changer.edited)
    await until(lambda: len(changer.edited) >= before + _CHANGES, "a new gateway changes messages", _GO_ON_S)
    await go_on(talks, by_rest)
    assert old < {container["Id"] for container in stack.containers("gateway")}
    for container in old:
        assert stack.run("docker", "inspect", "--format", "{{ .State.Health.Status }}", container) == "healthy\n"
        assert "Traceback" not in stack.run("docker", "logs", container)


async def test_a_rolling_upgrade_loses_doubles_and_reorders_nothing(old_stack: Stack, tmp_path: Path) -> None:
    stack = old_stack
    library = tmp_path / "library"
    shutil.copytree(stack.folder / "clients" / "python", library)
    await asyncio.to_thread(stack.up, "--no-deps", "--no-recreate", "--scale", "gateway=2", "gateway")
    talks = [await asyncio.to_thread(OldTalk, stack, library) for _ in range(2)]
    by_rest = await asyncio.to_thread(RestTalk, stack)
    changer = Changer(stack, talks[0].ana)
    took_s: dict[str, float] = {}
    async with people_talk(talks, by_rest, changer) as begin:
        await go_on(talks, by_rest)
        for command in documented("Upgrade with a change of tables"):
            if command == "deploy/roll gateway":
                await hold_the_mixture(stack, talks, by_rest, changer, begin)
            began_s = time.monotonic()
            if command == "git pull":
                await asyncio.to_thread(pull, stack.folder)
            else:
                await asyncio.to_thread(stack.run, "sh", "-c", command, deadline_s=900)
            took_s[command] = time.monotonic() - began_s
            await go_on(talks, by_rest)
    new = json.loads(stack.run("docker", "image", "inspect", IMAGE))[0]["Id"]
    for service in _OURS:
        assert {container["Image"] for container in stack.containers(service)} == {new}
    check_archive(stack, talks, by_rest, changer)
    told = ", ".join(f"{command.removeprefix('docker ')} {took:.0f} s" for command, took in took_s.items())
    stack.note(
        f"rolling upgrade: {sum(len(talk.said) for talk in talks)} messages over WebSockets with the older library, "
        f"{len(by_rest.said)} over REST ({by_rest.repeated} repeated), {len(changer.edited)} edits "
        f"({changer.refused} refused by older gateways); {told}"
    )


def check_archive(stack: Stack, talks: Sequence[OldTalk], by_rest: RestTalk, changer: Changer) -> None:
    """Compares the archive with all that was acknowledged."""
    assert stack.sql("SELECT count(*) FROM messaging_deadletter") == "0\n"
    everybody: list[OldTalk | RestTalk] = [*talks, by_rest]
    for talk in everybody:
        rows = rows_of(stack, talk.ana, talk.bob)
        assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
        assert [row["content"].removesuffix(", edited") for row in rows] == talk.said
        changed = {row["content"].removesuffix(", edited"): row for row in rows if row["edited_at"] is not None}
        if talk is talks[0]:
            assert changer.edited.keys() <= changed.keys() <= changer.tried.keys()
            liked = [text for text, row in changed.items() if row["reaction_counts"].get(LIKED) == 1]
            assert len(liked) >= len(changer.edited) - 1 - changer.refused
        else:
            assert changed == {}
