#!/bin/bash
# As much of Kafka's own script as compose.yaml relies on.
set -eu
mkdir -p "${LOG_DIR:-/opt/kafka/logs}"
# shellcheck disable=SC2086 # several options in one variable, as there
exec java ${KAFKA_HEAP_OPTS:--Xmx256M} -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true ${KAFKA_LOG4J_OPTS:-} \
    -cp "/opt/kafka/libs/*" ${KAFKA_OPTS:-} "$@"
