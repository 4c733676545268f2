#!/bin/bash
# Everything that must pass before a commit, in stages:
#
#   dev      every target with debug checks, headers on their own; unit tests
#   asan     unit tests under AddressSanitizer and UBSan
#   tsan     unit tests under ThreadSanitizer
#   clang    every library under clang's thread-safety analysis
#   fuzz     half of the fuzz targets, FUZZ_SECONDS (60) each; the commit says which half
#   processes  tests that start real brokers (ctest label `integration`)
#
# A stage that fails does not stop the later ones; the table at the end says
# which failed, and the status is 1 if any did.
#
# ctest labels:  integration  starts real programs, dev tree only
#                long         only with TOTORA_TEST_FULL=1 (make test-full)
#
# Environment: JOBS, TOTORA_TEST_FULL, STAGES (default: dev processes; with
# TOTORA_TEST_FULL all six), FUZZ_SECONDS.
set -uo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
full=${TOTORA_TEST_FULL:-}
default_stages="dev processes"
[[ -n $full ]] && default_stages="dev asan tsan clang fuzz processes"
stages=${STAGES:-$default_stages}

tools/install_packages.sh build test || exit 1

# Names of the ninja targets of one build tree that match a pattern.
targets() {  # targets BUILD_DIR INCLUDE EXCLUDE
  ninja -C "$1" -t targets all | sed -n 's/^\([A-Za-z0-9_-]*\): phony$/\1/p' |
    grep -E "$2" | grep -vE "$3"
}

run_ctest() {  # run_ctest BUILD_DIR [ctest arguments]
  local tree=$1
  shift
  ctest --test-dir "$tree" --output-on-failure -j"$jobs" --timeout 1200 --no-tests=error "$@"
}

unit_labels() {
  if [[ -n $full ]]; then echo '^integration$'; else echo '^(integration|long)$'; fi
}

stage_dev() {
  cmake --preset dev && cmake --build build/dev -j"$jobs" &&
    run_ctest build/dev -LE "$(unit_labels)"
}

# Sanitizer trees build the test programs only: `*_test`, but not those of
# tests/integration, which drive the programs of the dev tree.
# Tests whose names match NOT_TESTED are left out.
stage_sanitized() {  # stage_sanitized PRESET NOT_TESTED [command prefix]
  local preset=$1 not_tested=$2 names
  shift 2
  cmake --preset "$preset" || return 1
  mapfile -t names < <(targets "build/$preset" '_test$' 'integration')
  cmake --build "build/$preset" -j"$jobs" --target "${names[@]}" &&
    "$@" ctest --test-dir "build/$preset" --output-on-failure -j"$jobs" --timeout 1200 \
      --no-tests=error -LE "$(unit_labels)" -E "$not_tested"
}

stage_asan() {
  ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1} \
  UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1} stage_sanitized asan '^$'
}

# g++ 12's runtime knows fewer bits of address randomisation than newer
# kernels use and then dies at start; without randomisation it always works.
# gRPC and abseil are not built with ThreadSanitizer: what they keep in order by
# their own atomics looks like a race, so what only they touch is not looked at.
# The client library and the command line on it hand their own objects through
# gRPC's completion queues, which says nothing that ThreadSanitizer understands:
# these two are not tested here. Nor is the simulator, which is a single thread.
stage_tsan() {
  echo "tsan: client and cli are left out (gRPC's queues are invisible to it), tests/sim is one thread"
  local prefix=()
  if setarch -R true 2>/dev/null; then prefix=(setarch -R); fi
  TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1:ignore_noninstrumented_modules=1} \
    stage_sanitized tsan '^(client|cli|tests/sim)$' "${prefix[@]}"
}

# No program: clang 19 mangles templates of abseil otherwise than the g++ that
# Debian's libraries were built with.
stage_clang() {
  local names
  cmake --preset clang || return 1
  mapfile -t names < <(targets build/clang '^totora_' '(_test|_headers)$|integration')
  cmake --build build/clang -j"$jobs" --target "${names[@]}" -- -k 0
}

stage_fuzz() { tools/fuzz.sh "${FUZZ_SECONDS:-60}" --half; }

stage_processes() {
  if ! [[ " $stages " == *" dev "* ]]; then
    cmake --preset dev && cmake --build build/dev -j"$jobs" || return 1
  fi
  if [[ ! -d tests/integration ]]; then
    echo "there is no tests/integration: no test with real processes was run"
    return 0
  fi
  local exclude=()
  [[ -n $full ]] || exclude=(-LE '^long$')
  # One at a time: these measure how long a cluster stands still.
  run_ctest build/dev -j1 -L '^integration$' "${exclude[@]}"
}

summary=""
failed=0
for stage in $stages; do
  echo "=== $stage"
  began=$SECONDS
  if "stage_$stage"; then result=ok; else result=FAILED; failed=$((failed + 1)); fi
  summary+=$(printf '%-10s %-7s %4d s' "$stage" "$result" $((SECONDS - began)))$'\n'
done
echo "=== make test: ${SECONDS} s"
printf '%s' "$summary"
((failed == 0))
