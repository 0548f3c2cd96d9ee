"""The embedded Kafka: a real broker, through what happens to servers on people's machines."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from klatsch.embedded import child
from klatsch.embedded.child import EmbeddedError, free_ports
from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.embedded.kafka_settings import server_properties
from tests.support.process import ROOT


@pytest.fixture(scope="module")
def kafka() -> Iterator[EmbeddedKafka]:
    with tempfile.TemporaryDirectory(prefix="klatsch-") as folder:
        broker = EmbeddedKafka(Path(folder) / "100 % Kafka ü")
        broker.start()
        broker.wait_ready()
        yield broker
        broker.stop()


def create_topic(broker: EmbeddedKafka, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])[name].result(20)


def topics(broker: EmbeddedKafka) -> set[str]:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    return set(admin.list_topics(timeout=20).topics)


def pid_of(broker: EmbeddedKafka) -> int:
    assert broker.process is not None
    return broker.process.pid


def test_a_topic_can_be_made_the_moment_it_is_ready(kafka: EmbeddedKafka) -> None:
    create_topic(kafka, "at-once")
    assert "at-once" in topics(kafka)


def test_it_listens_on_this_machine_alone(kafka: EmbeddedKafka) -> None:
    connections = psutil.Process(pid_of(kafka)).net_connections()
    listening = {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_topics_survive_a_restart_and_a_kill_on_the_same_port(kafka: EmbeddedKafka) -> None:
    address = kafka.bootstrap_servers
    create_topic(kafka, "kept")
    kafka.restart()
    assert "kept" in topics(kafka)
    kafka.kill()
    assert not kafka.ready()
    kafka.restart()
    assert "kept" in topics(kafka)
    assert kafka.bootstrap_servers == address


def test_the_next_run_ends_what_a_killed_one_left_and_may_use_other_ports(kafka: EmbeddedKafka) -> None:
    create_topic(kafka, "inherited")
    left_behind = kafka.process
    successor = EmbeddedKafka(kafka.data)
    successor.start()
    try:
        successor.wait_ready()
        assert left_behind is not None
        assert left_behind.wait(5) is not None
        assert "inherited" in topics(successor)
        assert successor.port != kafka.port
    finally:
        successor.stop()
    kafka.restart()


def test_a_half_made_log_is_made_anew(kafka: EmbeddedKafka) -> None:
    half_made = kafka.data.with_name("half") / "log.half-made"
    half_made.mkdir(parents=True)
    (half_made / "meta.properties").write_text("version=1\n")
    broker = EmbeddedKafka(half_made.parent)
    broker.prepare()
    assert "cluster.id=" in (broker.data / "log" / "meta.properties").read_text()
    assert not half_made.exists()


def test_a_failure_is_told_with_the_end_of_the_log(kafka: EmbeddedKafka) -> None:
    broken = EmbeddedKafka(kafka.data.with_name("broken"))
    broken.prepare()
    meta = broken.data / "log" / "meta.properties"
    meta.write_text(meta.read_text().replace("node.id=1", "node.id=2"))
    broken.start()
    with pytest.raises(EmbeddedError, match=r"Kafka failed \(status 1\)(.|\n)*node"):
        broken.wait_ready()


def test_a_process_that_is_no_broker_is_not_taken_for_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not EmbeddedKafka(Path("nowhere"), port=listener.getsockname()[1]).ready()


def test_ctrl_c_in_the_terminal_does_not_reach_it(kafka: EmbeddedKafka) -> None:
    assert os.getpgid(pid_of(kafka)) != os.getpgid(0)


def test_its_log_is_in_its_folder_whatever_that_is_called_and_whatever_the_locale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LC_ALL", "POSIX")
    with tempfile.TemporaryDirectory(prefix="klatsch-") as folder:
        broker = EmbeddedKafka(Path(folder) / "it's ü, $HOME & ${HOME}, x")
        broker.start()
        try:
            broker.wait_ready()
            create_topic(broker, "here")
        finally:
            broker.stop()
        assert (broker.data / "log" / "here-0").is_dir()
        assert broker.log.stat().st_size > 0
        assert [found.name for found in Path(folder).iterdir()] == [broker.data.name]


def test_without_a_place_for_the_class_archive_it_still_starts(
    kafka: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    jars = kafka.data.with_name("cache") / "kafka-4.4.0"
    shutil.copytree(kafka._jars[0].parent, jars)
    (jars.parent / "archive.lock").mkdir()  # as good as a folder that cannot be written, for root too
    broker = EmbeddedKafka(kafka.data.with_name("slow"), jars.parent)
    broker.start()
    try:
        broker.wait_ready()
        assert broker.java_options == []
    finally:
        broker.stop()


def test_ports_are_below_those_of_outgoing_connections() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert all(20_000 <= port < 32_768 for port in ports)


def test_a_port_is_given_to_nobody_else_while_its_process_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_PORTS", range(31_960, 32_000))
    ports = free_ports(3)
    others = [free_ports(1)[0] for _ in range(3)]
    code = "from klatsch.embedded import child; child._PORTS = range(31_960, 32_000); print(*child.free_ports(3))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    elsewhere = [int(port) for port in done.stdout.split()]
    assert len({*ports, *others, *elsewhere}) == 9
    monkeypatch.setattr(child, "_PORTS", range(ports[0], ports[0] + 1))
    with pytest.raises(EmbeddedError, match="no free port"):
        free_ports(1)


def test_nothing_that_matters_is_left_to_a_default() -> None:
    text = server_properties(log_folder="log", port=1, controller_port=2, changed={})
    for line in ("auto.create.topics.enable=false", "min.insync.replicas=1", "unclean.leader.election.enable=false"):
        assert line in text.splitlines()


def test_a_folder_name_of_any_script_is_written_as_java_reads_it() -> None:
    text = server_properties(log_folder="/a\\b/ü/𝄞", port=1, controller_port=2, changed={})
    assert "log.dirs=/a\\\\b/\\u00fc/\\ud834\\udd1e" in text.splitlines()
