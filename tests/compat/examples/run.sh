#!/bin/bash
# Fetches RocketMQ's example programs and runs them, unmodified, against a
# cluster of three brokers. Some look for their nameserver at 127.0.0.1:9876
# whatever they are told: all of it runs in a network of its own, if the kernel
# lets us make one. Arguments go to main.py (--help lists them).
set -euo pipefail
cd "$(dirname "$0")"

mvn -B -q -ntp -Dstyle.color=never package >&2  # It writes colours all the same.

if unshare --net --map-root-user true 2>/dev/null; then
  exec unshare --net --map-root-user sh -c 'ip link set lo up && exec python3 -B main.py "$@"' \
    examples "$@"
fi
exec python3 -B main.py "$@"
