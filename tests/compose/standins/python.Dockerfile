# For python:3.13-slim: Debian's own Python 3.13, with pip as that image has it, and `python` as its name.
ARG DEBIAN
FROM ${DEBIAN}
LABEL klatsch.stand-in="Python 3.13 of Debian 13"
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends python3 python3-venv python3-pip ca-certificates >/dev/null \
    && rm -rf /var/lib/apt/lists/* /usr/lib/python3.13/EXTERNALLY-MANAGED \
    && ln -s python3 /usr/bin/python
CMD ["python3"]
