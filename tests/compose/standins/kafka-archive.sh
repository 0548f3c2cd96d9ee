#!/bin/bash
# Writes the archive of Kafka's classes that the official image has: a broker of one node starts, and ends.
set -eu
work=$(mktemp -d)
cat > "$work/server.properties" << CONF
process.roles=broker,controller
node.id=1
log.dirs=$work/log
listeners=CLIENT://localhost:9092,CONTROLLER://localhost:9093
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
controller.quorum.voters=1@localhost:9093
CONF
bin=$(dirname "$0")
export LOG_DIR="$work"
"$bin/kafka-storage.sh" format --cluster-id 5L6g3nShT-eMCtK--X86sw --config "$work/server.properties" > /dev/null
KAFKA_OPTS="-XX:ArchiveClassesAtExit=$1" "$bin/kafka-server-start.sh" "$work/server.properties" > "$work/out" 2>&1 &
broker=$!
for _ in $(seq 600); do
    if (: < /dev/tcp/localhost/9092) 2> /dev/null; then break; fi
    kill -0 "$broker" || { cat "$work/out"; exit 1; }
    sleep 0.2
done
kill "$broker"
wait "$broker" || true
[ -s "$1" ] || { cat "$work/out"; exit 1; }
chmod 444 "$1"
rm -rf "$work"
