# For prom/prometheus: Debian's Prometheus, with that image's user and folder.
ARG DEBIAN
FROM ${DEBIAN}
LABEL klatsch.stand-in="Prometheus 2.53 of Debian 13"
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus >/dev/null \
    && rm -rf /var/lib/apt/lists/* \
    && install --directory --owner 65534 --group 65534 /prometheus
WORKDIR /prometheus
ENTRYPOINT ["/usr/bin/prometheus"]
