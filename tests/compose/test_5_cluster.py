"""Three brokers that ask who comes."""

import asyncio

from tests.compose.stack import Stack, wait_until
from tests.compose.talk import conversation, until

_ASK = """
import sys
from confluent_kafka.admin import AdminClient, NewTopic
from pathlib import Path
user, secret, what = sys.argv[1:]
admin = AdminClient({
    "bootstrap.servers": "kafka:9092", "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.username": user, "sasl.password": secret, "log_level": 0,
})
try:
    if what == "delete":
        admin.delete_topics(["klatsch.events"])["klatsch.events"].result(10)
    elif what == "create":
        admin.create_topics([NewTopic("another", 1)])["another"].result(10)
    else:
        topic = admin.list_topics("klatsch.events", timeout=10).topics["klatsch.events"]
        print(sorted({len(partition.isrs) for partition in topic.partitions.values()}), topic.error)
    print("allowed")
except Exception as error:
    print("refused", error)
"""


def ask(cluster: Stack, user: str, what: str, password: str = "") -> str:
    secret = password or (cluster.folder / "secrets" / f"kafka_password_{user}").read_text().strip()
    return cluster.inside("gateway", "python", "-c", _ASK, user, secret, what)


def test_every_record_is_on_three_brokers(cluster: Stack) -> None:
    assert ask(cluster, "gateway", "describe").startswith("[3]")


async def test_people_talk_while_any_one_broker_is_killed(cluster: Stack) -> None:
    async with conversation(cluster) as talk:
        for broker in ("kafka", "kafka-2", "kafka-3"):
            before = len(talk.acknowledged)
            await asyncio.to_thread(cluster.crash, broker)
            await until(lambda least=before: len(talk.acknowledged) > least + 20, f"talk goes on after {broker}")  # type: ignore[misc]
            await asyncio.to_thread(wait_until, lambda one=broker: cluster.healthy(one), f"{broker} is back", 90)  # type: ignore[misc]

            def all_copies() -> bool:
                return ask(cluster, "gateway", "describe").startswith("[3]")

            await asyncio.to_thread(wait_until, all_copies, "all copies are whole", 90)


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
