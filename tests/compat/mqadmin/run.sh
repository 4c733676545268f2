#!/bin/bash
# Compares mqadmin's output for Totora with its output for RocketMQ 5.3.3, which
# this starts. See README.md beside this file.
#
# Arguments go to main.py (--help lists them).
set -euo pipefail
cd "$(dirname "$0")"

../../../tools/install_packages.sh compat

if [[ ! -d target/classes || pom.xml -nt target/classes || ! -d target/lib ||
      src/main/java/totora/mqadmin/Stage.java -nt target/classes ]]; then
  echo "mqadmin: getting RocketMQ and building the program that holds the state"
  mvn -B -q -ntp -Dstyle.color=never package
  rm -f target/mqadmin.jsa  # It belongs to these jars.
  touch target/classes
fi

python3 -B compare_test.py
exec python3 -B main.py "$@"
