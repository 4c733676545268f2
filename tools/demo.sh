#!/bin/bash
# A nameserver and three brokers as real processes on this machine; 10,000
# messages through them; then the leader is killed under a steady stream of
# sends and comes back. `totora demo` does the work and the counting; this
# script sees to it that no process is left behind, however it ends.
#
# ONESHOT=1 ends after the count, with status 0 only if nothing was lost or
# duplicated. Otherwise the cluster stays up until Ctrl-C.
# TOTORA_DEMO_DIR is where the cluster keeps its data (default build/demo).
set -uo pipefail
cd "$(dirname "$0")/.."

totora=build/release/bin/totora
dir=${TOTORA_DEMO_DIR:-build/demo}

stop_cluster() {
  [[ -d $dir ]] && "$totora" local stop --dir "$dir" >/dev/null 2>&1
}

# An earlier demo that was killed with -9 may still hold its ports.
stop_cluster
rm -rf "$dir"
mkdir -p "$dir"
trap stop_cluster EXIT
# Ctrl-C reaches `totora demo` as well, which ends by itself: wait for it.
trap ':' INT TERM

args=(demo --dir "$dir")
oneshot=${ONESHOT:-}
[[ -n $oneshot && $oneshot != 0 ]] && args+=(--oneshot)

"$totora" "${args[@]}"
status=$?
if [[ -z $oneshot || $oneshot == 0 ]] && ((status == 130 || status == 143)); then
  status=0  # Ctrl-C is how a demo that stays up is meant to end.
fi
exit "$status"
