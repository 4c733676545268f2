#!/bin/bash
# What users install, tested as they install it: the Debian package in a fresh
# Debian, the image under runc, the compose file under a Docker engine. About
# five minutes; a part that fails does not stop the later ones.
#
# Usage (as root): tests/packages/run.sh [lint|deb|image|compose]...
#   BIN_DIR  where the programs are (default build/release/bin)
# shellcheck disable=SC2317  # Parts are called by their names.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
bin=${BIN_DIR:-$PWD/build/release/bin}
export BIN_DIR=$bin

tools/install_packages.sh deb image package-test || exit 1

part_lint() {
  shellcheck -x packaging/*.sh tests/packages/*.sh tests/support/*.sh tests/bare_debian.sh tools/install_packages.sh &&
    tests/packages/cli_docs_test.py
}
part_deb() { tests/packages/deb_test.sh; }
part_image() { tests/packages/image_test.py --bin "$bin"; }
part_compose() { tests/packages/compose_test.sh; }

parts=("$@")
((${#parts[@]})) || parts=(lint deb image compose)
table=() failed=0
for part in "${parts[@]}"; do
  echo "package-test: $part"
  began=$SECONDS
  if "part_$part"; then result=ok; else result=FAILED; failed=1; fi
  table+=("$(printf '%-8s %-6s %4d s' "$part" "$result" $((SECONDS - began)))")
done
printf 'package-test: %s\n' "${table[@]}"
exit "$failed"
