#!/bin/sh
# Writes what depends on where this runs, then becomes nginx.
set -eu

# Docker's own resolver, or whichever one the container is told of.
resolver=$(awk '$1 == "nameserver" { print $2; exit }' /etc/resolv.conf)
echo "resolver $resolver valid=1s ipv6=off; resolver_timeout 3s;" > /tmp/resolver.conf

# TLS where there is a certificate; http on that port is then led to https.
if [ -s /etc/klatsch/tls/fullchain.pem ]; then
    cat > /tmp/listen.conf <<'CONF'
listen 8080 ssl;
http2 on;
ssl_certificate /etc/klatsch/tls/fullchain.pem;
ssl_certificate_key /etc/klatsch/tls/privkey.pem;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_session_cache shared:tls:10m;
ssl_session_tickets off;
error_page 497 =308 https://$http_host$request_uri;
CONF
else
    echo "listen 8080;" > /tmp/listen.conf
fi

# The operators' pages, where PROXY_ADMIN=1: the admin, and Grafana when its profile runs.
if [ "${PROXY_ADMIN:-0}" = 1 ]; then
    cat > /tmp/admin.conf <<'CONF'
location /admin/ { limit_req zone=requests burst=50 nodelay; proxy_pass http://$apis; }
location /grafana/ { limit_req zone=requests burst=200 nodelay; proxy_pass http://$dashboards; proxy_read_timeout 75s; }
CONF
else
    echo 'location /admin { return 404; }' > /tmp/admin.conf
fi

exec nginx -c /etc/klatsch/nginx/nginx.conf -g 'daemon off;'
