#!/bin/bash
# Fuzzes every target, or those named, each for some seconds on one core.
#
#   tools/fuzz.sh SECONDS [TARGET... | --half]
#
# --half takes every second target; the commit's hash says which half, so that runs
# of many commits take all.
#
# Starts from fuzz/corpus/TARGET and keeps what it finds in
# build/fuzz/corpus/TARGET. MERGE=1 adds to fuzz/corpus the inputs (hundreds) that
# reach code which no committed one reaches. A crash leaves its input in
# build/fuzz/crashes; add it to the corpus with the fix. Status 1 if any crashed.
#
# Environment: JOBS (compilation), MERGE.
set -uo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?usage: tools/fuzz.sh SECONDS [TARGET... | --half]}
shift

tools/install_packages.sh build test || exit 1
cmake --preset fuzz >/dev/null && cmake --build build/fuzz -j"${JOBS:-$(nproc)}" --target totora_fuzz ||
  exit 1

targets=("$@")
if [[ ${targets[*]} == --half ]]; then
  commit=$(git rev-parse HEAD 2>/dev/null || echo 0)
  half=$((16#${commit: -1} % 2))
  targets=()
fi
if ((${#targets[@]} == 0)); then
  for program in build/fuzz/bin/fuzz_*; do targets+=("${program##*/fuzz_}"); done
fi
if [[ -n ${half:-} ]]; then
  all=("${targets[@]}")
  targets=()
  for ((i = half; i < ${#all[@]}; i += 2)); do targets+=("${all[i]}"); done
fi

crashes=build/fuzz/crashes
mkdir -p "$crashes"
failed=0
for target in "${targets[@]}"; do
  program=build/fuzz/bin/fuzz_$target
  found=build/fuzz/corpus/$target
  seeds=fuzz/corpus/$target
  mkdir -p "$found" "$seeds"
  # 1 GiB: every input of this size that makes a parser hold more is a bug.
  if "$program" -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=1024 \
    -artifact_prefix="$crashes/$target-" -print_final_stats=1 "$found" "$seeds" \
    >"$found.log" 2>&1; then
    result=ok
  else
    result=CRASHED
    failed=1
    tail -40 "$found.log"
  fi
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$found.log")
  printf '%-26s %-8s %10s runs, %s inputs found\n' "$target" "$result" "${runs:-?}" \
    "$(find "$found" -type f | wc -l)"
  if [[ -n ${MERGE:-} && $result == ok ]]; then
    "$program" -set_cover_merge=1 -max_len=512 "$seeds" "$found" >/dev/null 2>&1
  fi
done
exit "$failed"
