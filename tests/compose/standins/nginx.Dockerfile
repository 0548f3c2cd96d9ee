# For nginx:1.28-alpine: Debian's nginx, with that image's user.
ARG DEBIAN
FROM ${DEBIAN}
LABEL klatsch.stand-in="nginx 1.26 of Debian 13"
RUN groupadd --gid 101 nginx && useradd --uid 101 --gid 101 --no-create-home nginx \
    && apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx-light >/dev/null \
    && rm -rf /var/lib/apt/lists/*
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
