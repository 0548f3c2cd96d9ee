#!/bin/bash
# Fails unless this broker answers ApiVersions, asked in bytes: starting a JVM every few seconds would cost more than Kafka does.
set -euo pipefail
exec 3<>/dev/tcp/127.0.0.1/9092
# Size 17, ApiVersions (18) v0, correlation 7, client "klatsch".
printf '\x00\x00\x00\x11\x00\x12\x00\x00\x00\x00\x00\x07\x00\x07klatsch' >&3
# Size, correlation 7, error 0.
answer=$(timeout 3 head -c 10 <&3 | od -An -tx1 | tr -d ' \n')
[ "${answer:8}" = 000000070000 ]
