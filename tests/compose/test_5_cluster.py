"""Three brokers that ask who comes."""

import asyncio
import json
import time
from collections import Counter
from pathlib import Path

from tests.compose.proof import proven
from tests.compose.stack import Stack, wait_until
from tests.compose.talk import until

_BROKERS = {1: "kafka", 2: "kafka-2", 3: "kafka-3"}
_ROUNDS = 5
_GO_ON_S = 12  # reliability.md: the first answer after a leader is killed
_GO_ON_PAUSED_S = 60  # what was sent to it times out, and librdkafka has to begin its sequence numbers anew
_BACK_S = 90
_DOWN_S = 25
_PAUSED_S = 25

_ASK = """
import json, os, sys
from confluent_kafka.admin import AdminClient, NewTopic
from pathlib import Path
user, secret, what = sys.argv[1:]
admin = AdminClient({
    "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
    "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.username": user, "sasl.password": secret, "log_level": 0,
})
try:
    if what == "delete":
        admin.delete_topics(["klatsch.events"])["klatsch.events"].result(10)
    elif what == "create":
        admin.create_topics([NewTopic("another", 1)])["another"].result(10)
    else:
        topic = admin.list_topics("klatsch.events", timeout=10).topics["klatsch.events"]
        print(json.dumps({number: [one.leader, *sorted(one.isrs)] for number, one in topic.partitions.items()}))
    print("allowed")
except Exception as error:
    print("refused", error)
"""


def ask(cluster: Stack, user: str, what: str, password: str = "") -> str:
    secret = password or (cluster.folder / "secrets" / f"kafka_password_{user}").read_text().strip()
    return cluster.inside("gateway", "python", "-c", _ASK, user, secret, what)


def partitions(cluster: Stack) -> list[tuple[str, int]]:
    """Returns who leads each partition, and how many brokers have all of it."""
    said = ask(cluster, "gateway", "describe")
    if "allowed" not in said:
        return []
    found: dict[str, list[int]] = json.loads(said.splitlines()[0])
    return [(_BROKERS.get(leader, ""), len(copies)) for leader, *copies in found.values()]


def is_whole(cluster: Stack) -> bool:
    """Returns whether every record is on three brokers."""
    found = partitions(cluster)
    return bool(found) and all(leader and copies == len(_BROKERS) for leader, copies in found)


async def until_whole(cluster: Stack) -> None:
    await asyncio.to_thread(wait_until, lambda: is_whole(cluster), "every record is on three brokers", _BACK_S)


def test_every_record_is_on_three_brokers(cluster: Stack) -> None:
    assert is_whole(cluster)


async def test_the_leader_is_killed_again_and_again_and_people_go_on(cluster: Stack, tmp_path: Path) -> None:
    async with proven(cluster, tmp_path / "evidence") as proof:
        took_s = []
        for _ in range(_ROUNDS):
            [(leader, led), *_] = Counter(who for who, _ in await asyncio.to_thread(partitions, cluster)).most_common()
            killed = await asyncio.to_thread(cluster.crash, leader)
            took_s.append(await proof.all_go_on(time.monotonic(), _GO_ON_S))
            [container] = await asyncio.to_thread(cluster.containers, leader)
            assert led > 0
            assert (container["Id"], container["RestartCount"] > 0) == (killed, True)
            await until_whole(cluster)
    said = ", ".join(f"{one:.1f}" for one in took_s)
    cluster.note(f"after the broker that led most was killed, everybody was answered within {said} s")


async def test_with_two_of_three_brokers_down_nothing_is_acknowledged_and_histories_are_served(
    cluster: Stack, tmp_path: Path
) -> None:
    async with proven(cluster, tmp_path / "evidence") as proof:
        for broker in ("kafka-2", "kafka-3"):
            await asyncio.to_thread(cluster.compose, "kill", broker)
        down, refused = time.monotonic(), proof.counts["unavailable"]
        reader = proof.speakers[0]
        path, token = f"conversations/{reader.person.conversations[0]}/messages", reader.person.token
        await until(lambda: proof.counts["unavailable"] > refused, "sends are refused as temporary", _DOWN_S)
        page = await proof.rest.ask("GET", path, token=token, deadline_s=5)
        assert page["results"]
        await asyncio.sleep(max(0.0, down + _DOWN_S - time.monotonic()))
        assert all(client.acknowledged_begun_at <= down for client in proof.speakers)
        up = time.monotonic()
        await asyncio.to_thread(cluster.compose, "start", "kafka-2", "kafka-3")
        took_s = await proof.all_go_on(up, _BACK_S)
        cluster.note(f"with two of three brokers back, everybody was answered after {took_s:.1f} s")
        await until_whole(cluster)


async def test_two_brokers_that_swap_their_addresses_are_found(cluster: Stack) -> None:
    """Docker gives the lowest free address to the first that starts. In the second round, the first is known."""
    had = []
    for order in (("kafka-2", "kafka-3"), ("kafka-3", "kafka-2")):
        await asyncio.to_thread(cluster.compose, "kill", "kafka-2", "kafka-3")
        for broker in order:
            await asyncio.to_thread(cluster.compose, "start", broker)
        had.append([await asyncio.to_thread(address_of, cluster, broker) for broker in order])
        await until_whole(cluster)
    assert had[0] == had[1], "the second to start has the address that the first had"


def address_of(cluster: Stack, broker: str) -> str:
    [container] = cluster.containers(broker)
    [network] = container["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


async def test_a_paused_broker_is_left_behind_and_comes_back_to_a_log_that_went_on(
    cluster: Stack, tmp_path: Path
) -> None:
    async with proven(cluster, tmp_path / "evidence") as proof:
        took_s = []
        for broker in _BROKERS.values():
            await asyncio.to_thread(cluster.compose, "pause", broker)
            paused = time.monotonic()
            try:
                took_s.append(await proof.all_go_on(paused, _GO_ON_PAUSED_S))
                await asyncio.sleep(max(0.0, paused + _PAUSED_S - time.monotonic()))
            finally:
                await asyncio.to_thread(cluster.compose, "unpause", broker)
            await proof.all_go_on(time.monotonic(), _GO_ON_PAUSED_S)
            await until_whole(cluster)
    said = ", ".join(f"{one:.1f}" for one in took_s)
    cluster.note(f"with one broker paused, each in its turn, everybody was answered within {said} s")


def test_nobody_comes_without_the_right_password(cluster: Stack) -> None:
    assert "refused" in ask(cluster, "gateway", "describe", password="wrong")
    assert "refused" in ask(cluster, "broker", "describe")


def test_roles_may_do_their_work_and_nothing_else(cluster: Stack) -> None:
    for user in ("gateway", "api", "persister", "topics"):
        assert "allowed" in ask(cluster, user, "describe")
        assert "AUTHORIZATION_FAILED" in ask(cluster, user, "delete")
        assert "AUTHORIZATION_FAILED" in ask(cluster, user, "create")
    denied = [line for line in cluster.logs().splitlines() if "Denied operation" in line]
    assert not [line for line in denied if not any(f"= {word} " in line for word in ("DELETE", "CREATE"))]


def change(cluster: Stack, user: str) -> str:
    """Gives a user of Kafka a new password, by the documents; returns the old one."""
    file = cluster.folder / "secrets" / f"kafka_password_{user}"
    old = file.read_text().strip()
    file.unlink()
    cluster.run("make", "compose-env")
    return old


def test_a_changed_password_of_a_user_is_the_only_one_that_counts(cluster: Stack) -> None:
    old = change(cluster, "gateway")
    cluster.up("--force-recreate", "access", "gateway")
    assert "refused" in ask(cluster, "gateway", "describe", password=old)
    assert "allowed" in ask(cluster, "gateway", "describe")


async def test_the_brokers_own_password_is_changed_while_all_stands_still(cluster: Stack, tmp_path: Path) -> None:
    cluster.compose("stop")
    change(cluster, "broker")
    cluster.up()
    async with proven(cluster, tmp_path / "evidence"):
        assert await asyncio.to_thread(is_whole, cluster)
