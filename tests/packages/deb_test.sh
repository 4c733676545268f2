#!/bin/bash
# The Debian package in a fresh Debian 12 that was booted, with its systemd, in
# namespaces: install, start both daemons by their units, send and receive,
# upgrade while they run, remove, purge; nothing is left but what Debian's policy
# leaves.
#
# Usage (as root): tests/packages/deb_test.sh
#   BIN_DIR  where the programs are (default build/release/bin)
#   OLD_DEB  what is upgraded from; default: the same programs, packed as 0.0.1
#            with another namesrv.conf and a file that the new build lacks
#   ROOT_DIR where the root is made (default build/deb-test)
# What `eval` is given shall be expanded by eval; ${Version} is dpkg-query's.
# shellcheck disable=SC2016
set -euo pipefail

if [[ ${DEB_TEST_INSIDE:-} != 1 ]]; then
  ((EUID == 0)) || { echo "deb_test: must be root, for chroot and mounts" >&2; exit 1; }
  # All processes die with the namespace, however this script ends.
  DEB_TEST_INSIDE=1 exec unshare --mount --pid --fork --kill-child --mount-proc \
    --propagation private "$0" "$@"
fi

cd "$(dirname "$0")/../.."
work=${ROOT_DIR:-$PWD/build/deb-test}
root=$work/root
mkdir -p "$work"
# shellcheck source=tests/support/debian_root.sh
source tests/support/debian_root.sh

claim() {  # claim TEXT COMMAND...: prints what was shown, or ends the test.
  local text=$1
  shift
  if "$@" >"$work/claim" 2>&1; then
    echo "ok: $text"
  else
    echo "FAILED: $text"
    cat "$work/claim"
    exit 1
  fi
}
not() { ! "$@"; }

# --- packages and root ---------------------------------------------------------

rm -rf "$work/new" "$work/again" "$work/old"
export DEB_BUILD_OPTIONS=noautodbgsym
OUT_DIR=$work/new packaging/build_deb.sh
OUT_DIR=$work/again packaging/build_deb.sh >/dev/null
new=$(echo "$work"/new/totora_*.deb)
claim "two builds are equal to the byte" cmp "$new" "$work"/again/totora_*.deb
if [[ -n ${OLD_DEB:-} ]]; then
  old=$OLD_DEB
else
  dpkg-deb -R "$new" "$work/old"
  sed -i 's/^Version: .*/Version: 0.0.1/' "$work/old/DEBIAN/control"
  echo "net.threads = 1" >>"$work/old/etc/totora/namesrv.conf"
  echo old >"$work/old/usr/share/doc/totora/OLD"
  old=$work/totora_0.0.1.deb
  dpkg-deb --root-owner-group -b "$work/old" "$old" >/dev/null
fi
if command -v lintian >/dev/null; then
  claim "lintian finds no fault" lintian --allow-root --fail-on error,warning "$new"
fi

echo "deb_test: making $root"
make_debian_root "$root" ca-certificates,systemd,systemd-sysv,dbus,man-db
cp "$old" "$root/old.deb"
cp "$new" "$root/new.deb"

environment=(PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive)
while IFS= read -r name; do
  proxies+=("$name=${!name}")
done < <(compgen -e | grep -E '^(https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY)$' || true)

# What the package needs is there before, so that what remains is its own doing;
# and the machine that is booted below has no network.
needs=$(dpkg-deb -f "$new" Depends)
# Each with mounts of its own: the root is booted afterwards.
claim "apt finds every dependency in Debian 12" unshare --mount bash -c '
  source tests/support/debian_root.sh
  mount_debian_root "$1"
  root=$1 needs=$2
  shift 2
  run() { chroot "$root" env -i "$@" </dev/null; }
  run "$@" apt-get -q update &&
    run "$@" apt-get -q -y --no-install-recommends -o Acquire::Retries=3 satisfy "$needs"
' _ "$root" "$needs" "${environment[@]}" ${proxies[@]+"${proxies[@]}"}

# Nothing that happens by itself shall leave files while we look.
for timer in apt-daily apt-daily-upgrade dpkg-db-backup e2scrub_all fstrim man-db systemd-tmpfiles-clean; do
  ln -sf /dev/null "$root/etc/systemd/system/$timer.timer"
done
systemd-nspawn -q -D "$root" --boot --register=no --keep-unit --private-network --resolv-conf=off \
  --console=pipe --machine=totora-deb-test </dev/null >"$work/boot.log" 2>&1 &
nspawn=$!
for ((i = 0; i < 600; ++i)); do
  init=$(pgrep -P "$nspawn" || true)
  [[ -n $init ]] && break
  sleep 0.1
done
inside() {
  nsenter -t "$init" --mount --uts --ipc --net --pid --cgroup --root --wd env -i "${environment[@]}" "$@" </dev/null
}
apt() { inside apt-get -q -y --no-install-recommends "$@"; }
is_booted() {
  local i
  for ((i = 0; i < 600; ++i)); do
    [[ $(inside systemctl is-system-running 2>&1) == running ]] && return
    sleep 0.1
  done
  inside systemctl is-system-running
  inside systemctl --failed --no-pager
  cat "$work/boot.log"
  return 1
}
claim "the root is booted" is_booted
files() {
  find "$root" -xdev -mindepth 1 -printf '/%P\n' |
    grep -vE '^/(proc|sys|dev|tmp|run|old.deb|new.deb)(/|$)|^/var/(cache|log|tmp|lib/(apt|dpkg))/' |
    grep -vE '^/etc/(passwd|group|shadow|gshadow)-$' |  # Older copies of what names users.
    sort
}
files >"$work/before"

# --- install ------------------------------------------------------------------

claim "it installs" apt install /old.deb
claim "there is a system user without a shell" eval \
  '[[ $(inside getent passwd totora) =~ ^totora:x:([0-9]+):.*:/var/lib/totora:/usr/sbin/nologin$ ]] &&
   ((BASH_REMATCH[1] < 1000))'
claim "its data folder is its own" test "$(inside stat -c '%U %a' /var/lib/totora)" = "totora 750"
claim "nothing is enabled by installing" not grep -rqs totora "$root/etc/systemd/system"
claim "a broker that was not told who it is says what is missing" eval \
  '! inside totora-broker --config /etc/totora/broker.conf --check-config >"$work/out" 2>&1 &&
   grep -q broker.name "$work/out"'
claim "man pages are found" inside man -w totora totora-send totora-broker totora-broker.conf totora-namesrv
claim "man pages are well formed" eval \
  '[[ -z $(for page in "$root"/usr/share/man/man*/totora*.gz; do
             inside man --warnings=all -l "${page#"$root"}" 2>&1 >/dev/null; done) ]]'
claim "bash completes commands, options and choices" inside bash -c '
  source /usr/share/bash-completion/completions/totora
  complete_words() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _totora; echo "${COMPREPLY[*]}"; }
  [[ $(complete_words totora top) == topic ]] &&
  [[ " $(complete_words totora topic "") " == *" create "* ]] &&
  [[ $(complete_words totora -o json topic create --qu) == --queues ]] &&
  [[ $(complete_words totora --output js) == json ]]'

for unit in totora-namesrv totora-broker; do
  claim "$unit.service is valid (systemd-analyze verify)" eval \
    "out=\$(inside systemd-analyze verify /lib/systemd/system/$unit.service 2>&1) && [[ -z \$out ]] || { echo \"\$out\"; false; }"
  claim "$unit.service is hardened (systemd-analyze security)" \
    inside systemd-analyze security --no-pager --offline=yes --threshold=15 "/lib/systemd/system/$unit.service"
  tail -1 "$work/claim"
done

# --- run ----------------------------------------------------------------------

claim "a broker that cannot start says so at once" not inside systemctl start totora-broker
inside systemctl stop totora-broker  # It would go on trying.
sed -i -e 's/^#broker.name/broker.name/' -e 's/^#replica.id/replica.id/' \
  -e 's/^#replica.peers = .*/replica.peers = 1@127.0.0.1:40911/' "$root/etc/totora/broker.conf"
edited=$(sha256sum <"$root/etc/totora/broker.conf")
claim "the three lines that must be set are enough" \
  inside totora-broker --config /etc/totora/broker.conf --check-config
claim "both units are enabled and started" inside systemctl enable --now totora-namesrv totora-broker
await_ready() {  # await_ready ADDRESS
  local i
  for ((i = 0; i < 300; ++i)); do
    inside totora probe "$1" && return 0
    sleep 0.1
  done
  inside journalctl --no-pager -n 30 -u 'totora-*'
  return 1
}
are_ready() { await_ready 127.0.0.1:9876 && await_ready 127.0.0.1:5557; }
claim "nameserver and broker are ready" are_ready
pid_of() { inside systemctl show -P MainPID "$1"; }
is_confined() {
  local status mounts
  status=$(inside cat "/proc/$(pid_of "$1")/status")
  mounts=$(inside cat "/proc/$(pid_of "$1")/mounts")
  echo "$status"
  echo "$mounts"
  grep -qP '^Seccomp:\t2' <<<"$status" && grep -qP '^CapBnd:\t0+$' <<<"$status" &&
    grep -qP '^NoNewPrivs:\t1' <<<"$status" && ! grep -qP '^Uid:\t0\t' <<<"$status" &&
    grep -qP '^\S+ / \S+ (\S+,)?ro,' <<<"$mounts"
}
for unit in totora-namesrv totora-broker; do
  claim "$unit runs as its user, read-only, filtered and without capabilities" is_confined "$unit"
done
claim "a topic is created" inside totora topic create orders
claim "100 messages are sent" inside totora send --topic orders --body hello --count 100
receive() {  # receive COUNT
  inside totora receive --topic orders --consumer-group readers --count "$1" -o json |
    grep -o '"message_id": *"[^"]*"' >>"$work/received"
}
: >"$work/received"
claim "50 are received" receive 50
was_started_again() {
  local before i
  before=$(pid_of totora-broker)
  inside systemctl kill -s KILL totora-broker
  for ((i = 0; i < 300; ++i)); do
    [[ $(pid_of totora-broker) =~ ^(0|$before)$ ]] || break
    sleep 0.1
  done
  are_ready && [[ $(pid_of totora-broker) != "$before" ]]
}
claim "a killed broker is started again" was_started_again

# --- upgrade, remove, purge ---------------------------------------------------

# shellcheck disable=SC2034  # Read by eval.
before="$(pid_of totora-namesrv) $(pid_of totora-broker)"
claim "it upgrades while the daemons run" apt install /new.deb
claim "the new version is installed" test "$(inside dpkg-query -W -f='${Version}' totora)" = "$(dpkg-deb -f "$new" Version)"
claim "both were restarted" eval '
  read -r -a pids <<<"$before $(pid_of totora-namesrv) $(pid_of totora-broker)"
  ((pids[2] > 0 && pids[3] > 0 && pids[0] != pids[2] && pids[1] != pids[3])) && are_ready'
claim "an edited conffile stays as it was" test "$(sha256sum <"$root/etc/totora/broker.conf")" = "$edited"
if [[ -z ${OLD_DEB:-} ]]; then
  claim "a conffile that nobody edited is the new one" not grep -q net.threads "$root/etc/totora/namesrv.conf"
  claim "a file that the new build lacks is gone" test ! -e "$root/usr/share/doc/totora/OLD"
fi
claim "the other 50 are received after the upgrade" receive 50
claim "100 different messages were received" test "$(sort -u "$work/received" | wc -l)" = 100
claim "what is stopped stays stopped in an upgrade" eval '
  inside systemctl stop totora-broker && apt install --reinstall /new.deb &&
  [[ $(pid_of totora-broker) == 0 && $(pid_of totora-namesrv) != 0 ]] && inside systemctl start totora-broker && are_ready'

claim "it is removed" apt remove totora
claim "no program is left, and none runs" eval '
  ! compgen -G "$root/usr/bin/totora*" && ! inside grep -l totora /proc/[0-9]*/comm'
claim "settings and data stay" test -s "$root/etc/totora/broker.conf" -a -d "$root/var/lib/totora/broker"
claim "it is purged" apt purge totora
files >"$work/after"
claim "no file is left" diff "$work/before" "$work/after"
claim "the user stays, as Debian's policy has it" inside getent passwd totora

inside systemctl poweroff
wait "$nspawn"
# What nspawn leaves behind in the cgroups' tree.
find /sys/fs/cgroup/{,systemd/}{payload,supervisor} -depth -type d -exec rmdir {} + 2>/dev/null || true
rm -rf --one-file-system "$root"
echo "deb: passed"
