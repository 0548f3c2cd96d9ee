#!/bin/bash
# Writes this node's configuration, formats its storage where that is empty, and becomes the broker.
# NODE_ID, HOST, VOTERS, CLUSTER_ID, COPIES and LEAST_COPIES say what differs; with BROKER_PASSWORD_FILE, who comes is asked.
set -euo pipefail

conf=/tmp/server.properties
cat /etc/klatsch/kafka/broker.properties > $conf
cat >> $conf <<CONF
node.id=$NODE_ID
controller.quorum.voters=$VOTERS
default.replication.factor=$COPIES
min.insync.replicas=$LEAST_COPIES
offsets.topic.replication.factor=$COPIES
transaction.state.log.replication.factor=$COPIES
transaction.state.log.min.isr=$LEAST_COPIES
share.coordinator.state.topic.replication.factor=$COPIES
share.coordinator.state.topic.min.isr=$LEAST_COPIES
listeners=CLIENT://:9092,BROKER://:9094,CONTROLLER://:9093
advertised.listeners=CLIENT://$HOST:9092,BROKER://$HOST:9094
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
CONF

if [ -n "${BROKER_PASSWORD_FILE:-}" ]; then
    # Clients by SCRAM, whose passwords `manage.py access` sets. Brokers among themselves by PLAIN: they must know each
    # other before there is a log to keep SCRAM's passwords in.
    password=$(cat "$BROKER_PASSWORD_FILE")
    plain="org.apache.kafka.common.security.plain.PlainLoginModule required username=\"broker\" password=\"$password\""
    cat >> $conf <<CONF
listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,BROKER:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
listener.name.client.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.broker.sasl.enabled.mechanisms=PLAIN
listener.name.broker.plain.sasl.jaas.config=$plain user_broker="$password";
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config=$plain user_broker="$password";
sasl.mechanism.controller.protocol=PLAIN
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:broker
allow.everyone.if.no.acl.found=false
CONF
else
    echo "listener.security.protocol.map=CLIENT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT" >> $conf
fi
chmod 600 $conf

# After a restart, brokers may have each other's addresses. Java keeps an address for 30 s: a broker would connect to the wrong
# one, which refuses its votes, and would ask it again and again for good.
export KAFKA_OPTS="${KAFKA_OPTS:-} -Dsun.net.inetaddr.ttl=0"
if [ ! -e /var/lib/kafka/data/log/meta.properties ]; then
    /opt/kafka/bin/kafka-storage.sh format --cluster-id "$CLUSTER_ID" --config $conf
fi
# Kafka's image has an archive of its classes, which its own start uses. Starting with it takes less CPU from the other brokers.
if [ -e /opt/kafka/kafka.jsa ]; then
    export KAFKA_OPTS="$KAFKA_OPTS -XX:SharedArchiveFile=/opt/kafka/kafka.jsa"
fi
exec /opt/kafka/bin/kafka-server-start.sh $conf
