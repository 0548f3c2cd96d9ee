#!/bin/sh
# Fails unless nginx accepts connections. Its answers depend on others and are no reason to replace it.
set -eu
if command -v nc > /dev/null; then exec nc -z 127.0.0.1 8080; fi
exec bash -c ': < /dev/tcp/127.0.0.1/8080'
