"""Settings of the embedded broker: one node on a small machine, with every important setting named."""

from collections.abc import Mapping

HOST = "127.0.0.1"

_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    # Klatsch creates its topics, never the broker on first use.
    "auto.create.topics.enable": "false",
    "delete.topic.enable": "true",
    "unclean.leader.election.enable": "false",
    "auto.leader.rebalance.enable": "false",
    "message.max.bytes": "1048588",
    # One node keeps one copy of everything.
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # Groups of either protocol (4.4 enables all, and warns when they are named). In the new protocol a killed member
    # is missed after 6 s instead of 45 s.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "1000",
    # A killed broker's successor is admitted when the old session ends: after 9 s by default.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # For two cores and 512 MB: the defaults assume a whole machine.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "num.recovery.threads.per.data.dir": "2",
    "log.cleaner.threads": "1",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "group.coordinator.threads": "1",
    "share.coordinator.threads": "1",
    # The metadata log is fsynced at each record. Its no-op records serve followers, which one node does not have.
    "metadata.max.idle.interval.ms": "5000",
}


def server_properties(*, log_folder: str, port: int, controller_port: int, changed: Mapping[str, str]) -> str:
    """Returns the broker's configuration file, with the `changed` settings.

    The quorum is named here, not written into the log at formatting, so that the next start may use other ports.
    """
    settings = _SETTINGS | {
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "log.dirs": log_folder,
        **changed,
    }
    return "".join(f"{name}={_escaped(value)}\n" for name, value in settings.items())


def _escaped(value: str) -> str:
    """Returns text for java.util.Properties: backslashes doubled, and characters beyond ASCII by their code."""
    return "".join(
        char if " " <= char <= "~" else f"\\u{unit:04x}"
        for char in value.replace("\\", "\\\\")
        for unit in _utf16(char)
    )


def _utf16(char: str) -> list[int]:
    raw = char.encode("utf-16-be")
    return [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]


def log_configuration(log: str) -> str:
    """Returns log4j2's configuration: the file `log` of at most 5 MB, and one file before it."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR" shutdownHook="disable">
  <Appenders>
    <RollingFile name="file" fileName="{log}" filePattern="{log}.%i">
      <PatternLayout pattern="%d %p %m (%c)%n"/>
      <Policies><SizeBasedTriggeringPolicy size="5 MB"/></Policies>
      <DefaultRolloverStrategy max="1"/>
    </RollingFile>
  </Appenders>
  <Loggers>
    <Logger name="org.apache.kafka.common.config.AbstractConfig" level="WARN"/>
    <Root level="INFO"><AppenderRef ref="file"/></Root>
  </Loggers>
</Configuration>
"""
