"""Processes that fork, end, and work side by side: each a real one."""

import asyncio
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import MakeLayer
from waits import DEADLINE_S, received

from channels_kafka_layer import KafkaChannelLayer

FOLDER = Path(__file__).parent
SITE = FOLDER / "site_with_worker"
WORKERS = 2
TASKS = 40
FORKS = "ignore:.*use of fork:DeprecationWarning"
"""Python 3.12 warns of any fork beside threads, and the driver has threads: that it works is what is shown."""


def environment(hosts: str, topic: str) -> dict[str, str]:
    paths = [str(FOLDER.parent), str(SITE)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "LAYER_HOSTS": hosts, "LAYER_TOPIC": topic}


def run(hosts: str, topic: str, program: str) -> str:
    """Runs a program to its end; returns what it printed. It must write nothing to stderr."""
    head = (
        "import asyncio, logging, os, sys\n"
        # A broker that has just started makes the driver warn that it must ask again.
        "logging.getLogger('channels_kafka_layer.librdkafka').setLevel(logging.ERROR)\n"
        "from asgiref.sync import async_to_sync\n"
        "from channels_kafka_layer import KafkaChannelLayer\n"
        "layer = KafkaChannelLayer(hosts=os.environ['LAYER_HOSTS'], topic=os.environ['LAYER_TOPIC'])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-W", FORKS, "-c", head + textwrap.dedent(program)],
        env=environment(hosts, topic),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_a_process_that_ends_without_closing_ends_at_once_and_has_sent_all(hosts: str, topic: str) -> None:
    said = run(
        hosts,
        topic,
        """
        async def main():
            channel = await layer.new_channel()
            waiting = asyncio.ensure_future(layer.receive(channel))
            await layer.send("of-one-that-ends", {"type": "test.message"})
            asyncio.ensure_future(layer.group_send("group", {"type": "test.message"}))
            print("sent")

        asyncio.run(main())
        """,
    )
    assert said == "sent\n"

    async def receive() -> dict[str, str]:
        layer = KafkaChannelLayer(hosts=hosts, topic=topic)
        try:
            return await received(layer, "of-one-that-ends")
        finally:
            await layer.flush()
            await layer.close()

    assert asyncio.run(receive()) == {"type": "test.message"}


@pytest.mark.parametrize("end", ["sys.exit()", "os._exit(0)"])
def test_a_forked_child_is_a_process_of_its_own_and_leaves_its_parent_alone(hosts: str, topic: str, end: str) -> None:
    said = run(
        hosts,
        topic,
        f"""
        def talk(who):
            channel = async_to_sync(layer.new_channel)()
            async_to_sync(layer.group_add)("group", channel)
            async_to_sync(layer.group_send)("group", {{"type": "test.message", "from": who}})
            return channel

        parents = talk("parent")
        child = os.fork()
        if child == 0:
            mine = talk("child")
            assert async_to_sync(layer.receive)(mine)["from"] == "child"
            try:
                async_to_sync(layer.receive)(parents)
            except AssertionError:
                print("a child receives from no channel of its parent", flush=True)
            {end}
        assert os.waitpid(child, 0)[1] == 0
        print([async_to_sync(layer.receive)(parents)["from"] for _ in range(2)])
        """,
    )
    assert said == "a child receives from no channel of its parent\n['parent', 'child']\n"


def test_a_parent_that_only_sent_may_fork_while_it_waits(hosts: str, topic: str) -> None:
    said = run(
        hosts,
        topic,
        """
        async_to_sync(layer.group_send)("group", {"type": "test.message"})
        for _ in range(3):
            if os.fork() == 0:
                async_to_sync(layer.group_send)("group", {"type": "test.message"})
                sys.exit()
            assert os.wait()[1] == 0
        async_to_sync(layer.group_send)("group", {"type": "test.message"})
        print("done")
        """,
    )
    assert said == "done\n"


@pytest.fixture
def workers(hosts: str, topic: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes of `manage.py runworker`, which answer each task with their number."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "django", "runworker", "tasks"],
            env=environment(hosts, topic) | {"DJANGO_SETTINGS_MODULE": "worker_settings"},
            text=True,
        )
        for _ in range(WORKERS)
    ]
    yield started
    for worker in started:
        worker.terminate()
    for worker in started:
        worker.wait(DEADLINE_S)


async def test_two_workers_share_the_tasks_of_a_normal_channel(
    make_layer: MakeLayer, workers: list[subprocess.Popen[str]]
) -> None:
    layer = make_layer()
    mine = await layer.new_channel("results")
    seen: set[int] = set()
    while len(seen) < WORKERS:  # both are up
        await layer.send("tasks", {"type": "task", "number": -1, "answer_to": mine})
        seen.add((await received(layer, mine))["worker"])

    async def send() -> None:
        for number in range(TASKS):
            await layer.send("tasks", {"type": "task", "number": number, "answer_to": mine})

    sending = asyncio.ensure_future(send())
    answers = [await received(layer, mine) for _ in range(TASKS)]
    await sending
    assert sorted(answer["number"] for answer in answers) == list(range(TASKS))
    assert {answer["worker"] for answer in answers} == seen
