#!/bin/bash
# deploy/compose.yaml under a real Docker engine: started for this test in
# namespaces of its own, with the image that is built here. Programs of the
# "host" (the test's network namespace) reach everything by the mapped ports,
# without any entry in a hosts file, also after the leader was killed and after
# all was taken down and up again.
#
# Usage (as root): tests/packages/compose_test.sh
#   BIN_DIR  where the programs are (default build/release/bin)
# shellcheck disable=SC2016  # What `eval` is given shall be expanded by eval.
set -euo pipefail

if [[ ${COMPOSE_TEST_INSIDE:-} != 1 ]]; then
  ((EUID == 0)) || { echo "compose_test: must be root, for namespaces" >&2; exit 1; }
  # Engine, containers and interfaces die with the namespaces, however this script ends.
  COMPOSE_TEST_INSIDE=1 exec unshare --mount --net --pid --fork --kill-child --mount-proc \
    --propagation private "$0" "$@"
fi

cd "$(dirname "$0")/../.."
bin=${BIN_DIR:-build/release/bin}
work=$(mktemp -d /tmp/totora-compose.XXXXXX)
ip link set lo up

claim() {  # claim TEXT COMMAND...: prints what was shown, or ends the test.
  local text=$1
  shift
  if "$@" >"$work/claim" 2>&1; then
    echo "ok: $text"
  else
    echo "FAILED: $text"
    cat "$work/claim"
    [[ -z ${project:-} ]] || "${compose[@]}" logs --tail=20 || true
    exit 1
  fi
}

# --- the engine -----------------------------------------------------------------

export DOCKER_HOST=unix://$work/docker.sock
dockerd --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/pid" -H "$DOCKER_HOST" \
  --cgroup-parent "/totora-compose-$$" \
  >"$work/dockerd.log" 2>&1 &
engine=$!
stop_engine() {
  local status=$?
  [[ -z ${project:-} ]] || "${compose[@]}" down -v >/dev/null 2>&1 || true
  if kill "$engine" 2>/dev/null; then wait "$engine" || true; fi
  rmdir /sys/fs/cgroup/{,*/}"totora-compose-$$" 2>/dev/null || true
  # The data root holds mounts until the engine is gone.
  rm -rf --one-file-system "$work"
  exit "$status"
}
trap stop_engine EXIT
for ((i = 0; ; ++i)); do
  docker version >/dev/null 2>&1 && break
  ((i < 120)) || { echo "FAILED: dockerd does not start"; tail -20 "$work/dockerd.log"; exit 1; }
  sleep 0.5
done
echo "compose_test: run by a Docker engine, $(docker version -f '{{.Server.Version}}')"

# --- up ----------------------------------------------------------------------------

packaging/build_image.py --bin "$bin" --out "$work/image.tar" --name totora:test --quiet >/dev/null
claim "docker load takes the image" docker load -i "$work/image.tar"
export TOTORA_IMAGE=totora:test
compose=(docker-compose)
docker compose version >/dev/null 2>&1 && compose=(docker compose)
compose+=(-f deploy/compose.yaml -p totora-test)
claim "compose.yaml is understood" "${compose[@]}" config
project=totora-test
claim "everything starts" "${compose[@]}" up -d

states() { docker ps --filter "label=com.docker.compose.project=$project" --format '{{.Names}} {{.Status}}'; }
all_healthy() {
  local i
  for ((i = 0; i < 120; ++i)); do
    [[ $(states | grep -c '(healthy)') == 4 ]] && return 0
    sleep 1
  done
  states
  return 1
}
claim "the health checks of all four say healthy" all_healthy
container() { "${compose[@]}" ps -q "$1"; }
claim "they run as 10001, with a read-only root and without capabilities" eval \
  'for service in namesrv broker-1 broker-2 broker-3; do
     pid=$(docker inspect -f "{{.State.Pid}}" "$(container $service)")
     grep -q "^Uid:.10001" /proc/$pid/status && grep -q "^CapBnd:.0*$" /proc/$pid/status &&
       grep -qE "^overlay / overlay ro," /proc/$pid/mounts || exit 1
   done'

# --- programs of the host ------------------------------------------------------------

"${compose[@]}" exec -T broker-1 totora topic create orders >/dev/null
claim "the routes name addresses of this machine" eval \
  '"${compose[@]}" exec -T broker-1 totora cluster status -o json | tee "$work/status" | grep -q 127.0.0.1'
claim "a gRPC client of this machine sends 1,000 messages to broker 1's port" \
  "$bin/totora" send --endpoint 127.0.0.1:8081 --topic orders --body hello --count 500
claim "and to broker 3's" \
  "$bin/totora" send --endpoint 127.0.0.1:8281 --topic orders --body hello --count 500
claim "a classic client finds its way by the nameserver" eval \
  '"$bin/totora" bench send --protocol classic --endpoint 127.0.0.1:9876 --topic orders --duration 2s -o json |
     tee "$work/classic" | grep -q "\"errors\": *0"'

leader() {  # By broker 1's mapped metrics port.
  "$bin/totora" probe 127.0.0.1:5557 --path /metrics | sed -n 's/^totora_raft_leader //p'
}
first=$(leader)
[[ $first =~ ^[123]$ ]] || { echo "FAILED: broker 1 knows no leader"; exit 1; }
others=(1 2 3)
unset "others[first-1]"
others=("${others[@]}")
docker kill "$(container "broker-$first")" >/dev/null
claim "broker $first, the leader, is killed; a client of another broker sends at once" \
  "$bin/totora" send --endpoint "127.0.0.1:$((8081 + 100 * (others[0] - 1)))" --topic orders --body hello --count 100
"${compose[@]}" up -d >/dev/null 2>&1
claim "the killed broker comes back" all_healthy

"${compose[@]}" exec -T broker-2 totora log scan --topic orders -o json |
  grep -o '"message_id": *"[^"]*"' | sort >"$work/before"
claim "all is taken down; volumes stay" "${compose[@]}" down
claim "and up again" "${compose[@]}" up -d
claim "healthy" all_healthy
"${compose[@]}" exec -T broker-2 totora log scan --topic orders -o json |
  grep -o '"message_id": *"[^"]*"' | sort >"$work/after"
claim "the $(wc -l <"$work/before") messages are there, each once" eval \
  'diff "$work/before" "$work/after" && [[ -z $(uniq -d "$work/after") ]] && (($(wc -l <"$work/after") >= 1100))'
claim "a client of this machine receives 100 of them" eval \
  '[[ $("$bin/totora" receive --endpoint 127.0.0.1:8181 --topic orders --consumer-group readers --count 100 -o json |
        wc -l) == 100 ]]'
echo "compose: passed"
