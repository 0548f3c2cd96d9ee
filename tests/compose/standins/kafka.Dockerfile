# For apache/kafka:4.4.0: the jars of kafka-4.4.0.lock on Debian's JRE, under the names that compose.yaml relies on.
ARG DEBIAN
FROM ${DEBIAN}
LABEL klatsch.stand-in="the locked jars of Kafka 4.4.0 on Debian 13's OpenJDK 21"
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends openjdk-21-jre-headless >/dev/null \
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 1000 appuser && useradd --uid 1000 --gid 1000 --no-create-home appuser \
    && install --directory --owner appuser --group appuser /var/lib/kafka/data /etc/kafka/secrets /mnt/shared/config
COPY jars /opt/kafka/libs
COPY kafka-run-class.sh kafka-storage.sh kafka-server-start.sh kafka-archive.sh /opt/kafka/bin/
RUN /opt/kafka/bin/kafka-archive.sh /opt/kafka/kafka.jsa
VOLUME ["/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config"]
USER appuser
