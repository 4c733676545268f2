#!/bin/bash
# Fetches RocketMQ's jars and measures. Arguments go to main.py (--help lists them).
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
work=$root/build/bench_rocketmq
mkdir -p "$work"

../install_packages.sh compat
mvn -B -q -ntp -Dstyle.color=never -Dbench.work="$work" package
exec python3 -B main.py --lib "$work/lib" "$@"
