#!/bin/bash
# Breaks the protocol core on purpose, one patch of mutations/ at a time, and
# records which scenarios notice. Writes docs/mutations.md; fails if a patch
# does not apply, if nothing notices one, or if a scenario notices none.
#
#   tests/scenarios/mutations.sh [scratch directory]
#
# TOTORA_RUN is put before every command that compiles (default: nothing).
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=${1:-$(mktemp -d)}
run=${TOTORA_RUN:-}
failed=0

mkdir -p "$scratch/src"
for path in CMakeLists.txt cmake common raft/core tests/CMakeLists.txt tests/support tests/scenarios; do
  mkdir -p "$scratch/src/$(dirname $path)"
  rm -rf "$scratch/src/$path"
  cp -r "$root/$path" "$scratch/src/$path"
done
# A broken core may leave a variable unused.
sed -i "s/ -Werror//" "$scratch/src/cmake/totora_options.cmake"
# The invariants would end the process before a scenario can show what is wrong.
$run cmake -S "$scratch/src" -B "$scratch/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DTOTORA_DCHECKS=OFF \
    > "$scratch/configure.log" || exit 1

build() {
  $run cmake --build "$scratch/build" -j1 --target totora_scenarios_test > "$scratch/build.log" 2>&1
}

run_scenarios() {
  TOTORA_SCENARIO_DIR="$root/tests/scenarios" timeout 10 "$scratch/build/bin/totora_scenarios_test" \
      --gtest_brief=1 --gtest_filter="Text/Scenario.EndsAsWritten/$1" > "$scratch/run.log" 2>&1
}

# Names of the scenarios that fail. A broken core may end or hang the process:
# then each runs in one of its own.
failing() {
  local name
  run_scenarios '*'
  if [ $? -le 1 ]; then
    sed -n 's|^\[  FAILED  \] Text/Scenario.EndsAsWritten/\([a-z0-9_]*\).*|\1|p' "$scratch/run.log" | sort -u
    return
  fi
  for name in $scenarios; do
    run_scenarios "$name" || echo "$name"
  done
}

scenarios=$(cd "$root/tests/scenarios" && ls *.txt | grep -v CMakeLists | sed 's/\.txt$//' | sort)
build || { cat "$scratch/build.log"; exit 1; }
if [ -n "$(failing)" ]; then
  echo "scenarios fail without any mutation: $(failing)"
  exit 1
fi

: > "$scratch/pairs"
for patch in "$root"/tests/scenarios/mutations/*.patch; do
  mutation=$(basename "$patch" .patch)
  if ! patch -s -d "$scratch/src" -p1 < "$patch"; then
    echo "$mutation: does not apply"
    exit 1
  fi
  if build; then
    found=$(failing)
    [ -n "$found" ] || { echo "$mutation: nobody notices"; failed=1; }
    for name in $found; do echo "$name $mutation" >> "$scratch/pairs"; done
  else
    echo "$mutation: does not compile"
    tail -5 "$scratch/build.log"
    failed=1
  fi
  patch -s -R -d "$scratch/src" -p1 < "$patch"
done

{
  echo "# What each scenario is there for"
  echo
  echo "A test that never failed proves nothing. \`tests/scenarios/mutations.sh\` breaks the"
  echo "protocol core in the ways below, one at a time, and writes down which scenarios notice"
  echo "(invariant checks are compiled out, so it is the expected text that notices)."
  echo "This page is its output."
  echo
  echo "| scenario | mutations that make it fail |"
  echo "|---|---|"
  for name in $scenarios; do
    found=$(sed -n "s/^$name //p" "$scratch/pairs" | sort | tr '\n' ' ')
    [ -n "$found" ] || { echo "$name: notices nothing" >&2; failed=1; }
    echo "| $name | $(echo $found | sed 's/ /, /g') |"
  done
  echo
  echo "| mutation | what is broken | noticed by |"
  echo "|---|---|---|"
  for patch in "$root"/tests/scenarios/mutations/*.patch; do
    mutation=$(basename "$patch" .patch)
    count=$(grep -c " $mutation\$" "$scratch/pairs")
    echo "| $mutation | $(head -1 "$patch") | $count |"
  done
} > "$scratch/mutations.md"
mkdir -p "$root/docs"
cp "$scratch/mutations.md" "$root/docs/mutations.md"
exit $failed
