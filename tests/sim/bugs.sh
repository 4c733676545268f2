#!/bin/bash
# Builds the simulator around each deliberate bug of bugs/ and lets it search.
# Fails if a patch does not apply or compile, if the unbroken tree fails, or if a
# bug is not found within the limit of user CPU seconds.
#
#   tests/sim/bugs.sh [bug ...]        names or beginnings of names; default: all
#
# TOTORA_RUN is put before every command that compiles (default: nothing),
# TOTORA_BUG_CPU_SECONDS is the limit (60), TOTORA_BUG_SCRATCH where the broken
# copies of the tree go (default: a temporary directory, removed at the end).
#
# The build is a release one: the protocol core's own invariants are compiled
# out, so it is the simulator's checks, or a CHECK that production has, too, that
# notice.
set -u
unset TOTORA_SIM_SEEDS TOTORA_SIM_FIRST_SEED TOTORA_SIM_LOG TOTORA_SIM_KEEP_GOING
root=$(cd "$(dirname "$0")/../.." && pwd)
run=${TOTORA_RUN:-}
limit=${TOTORA_BUG_CPU_SECONDS:-60}
scratch=${TOTORA_BUG_SCRATCH:-}
if [ -z "$scratch" ]; then
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
fi

fail() { echo "bugs.sh: $*" >&2; exit 1; }

# A copy of the tree, all of it new: the build directory may be one of an earlier
# run, and must not take a file for older than what was made of its broken form.
mkdir -p "$scratch/src" && cd "$scratch/src" || exit 1
find . -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
tar -C "$root" --exclude=./build --exclude=./.git --exclude=target -cf - . | tar -xmf - ||
  fail "cannot copy the tree"
$run cmake --preset release > "$scratch/configure.log" 2>&1 ||
  { cat "$scratch/configure.log"; fail "cannot configure"; }

build() {
  $run cmake --build build/release -j"${JOBS:-1}" --target totora_sim_test > "$scratch/build.log" 2>&1 ||
    { tail -20 "$scratch/build.log"; fail "$1: does not compile"; }
}

# Lets the simulator search in `$3` seeds, for at most `$2` CPU seconds; sets status and seconds.
search() {  # search LOG LIMIT SEEDS
  local TIMEFORMAT=%U
  { time TOTORA_SIM_SEEDS=$3 bash -c 'ulimit -S -t '$(($2 + 1))'; exec build/release/bin/totora_sim_test \
      --gtest_filter=Simulation.NothingAcknowledgedIsLostWhateverFails' > "$1" 2>&1; } 2> "$1.time"
  status=$?
  seconds=$(tail -1 "$1.time")
}

# What the log says was wrong, in one line.
finding() {  # finding LOG
  grep -m1 -E '^seed [0-9]+: at |check failed: ' "$1"
}

names=()
for patch in "$root"/tests/sim/bugs/*.patch; do
  name=$(basename "$patch" .patch)
  if [ $# -eq 0 ]; then names+=("$name"); continue; fi
  for wanted in "$@"; do
    [[ $name == "$wanted"* ]] && names+=("$name") && break
  done
done
[ ${#names[@]} -gt 0 ] || fail "no bug is called like that: $*"

build "the unbroken tree"
if [ $# -eq 0 ]; then
  search "$scratch/unbroken.log" $((limit * 5)) 200
  [ "$status" = 0 ] || { cat "$scratch/unbroken.log"; fail "the unbroken tree fails"; }
  printf '%-28s %-6s %7.1f s  %s\n' none - "$seconds" "all seeds pass"
fi

failed=0
for name in "${names[@]}"; do
  log="$scratch/$name.log"
  patch -s -p1 --fuzz=0 --dry-run < "$root/tests/sim/bugs/$name.patch" ||
    fail "$name: the patch does not apply any more; make it anew for the code as it is now"
  patch -s -p1 --fuzz=0 < "$root/tests/sim/bugs/$name.patch"
  build "$name"
  search "$log" "$limit" 10000
  found=$(finding "$log")
  seed=$(sed -n 's/.*seed \([0-9]*\).*/\1/p' "$log" | tail -1)
  if [ "$status" != 0 ] && [ -n "$found" ] && awk "BEGIN { exit !($seconds <= $limit) }"; then
    printf '%-28s %-6s %7.1f s  %s\n' "$name" "$seed" "$seconds" "$found"
  else
    printf '%-28s %-6s %7.1f s  %s\n' "$name" "$seed" "$seconds" "NOT FOUND (status $status)"
    failed=1
  fi
  patch -s -p1 -R < "$root/tests/sim/bugs/$name.patch" || fail "$name: cannot be taken back"
done
exit $failed
