#!/bin/bash
# Does the README's promise hold? Makes a Debian 12 that has nothing but
# ca-certificates, git and make, clones this repository (what is committed)
# into it and runs the given make commands there.
#
# Usage (as root): tests/bare_debian.sh [--keep] [MAKE ARGUMENTS]...
#   Each argument is one call of make; default: "demo ONESHOT=1" and "test".
#   --keep leaves the root in place, to look around with chroot.
#   BARE_ROOT  where the root is made (default build/bare-debian)
#   CCACHE_SHARE=1  lends the root this machine's compiler cache
#
# Where packages come from is taken over from this machine: apt's sources,
# settings and keys, the certificate store, and what pip, npm, Maven and Go are told
# by files and environment. Mounts live in a mount namespace of their own, so
# they vanish with this script however it ends.
set -euo pipefail

if [[ ${BARE_DEBIAN_INSIDE:-} != 1 ]]; then
  ((EUID == 0)) || { echo "bare_debian: must be root, for chroot and mounts" >&2; exit 1; }
  BARE_DEBIAN_INSIDE=1 exec unshare --mount --propagation private "$0" "$@"
fi

repo=$(cd "$(dirname "$0")/.." && pwd)
root=${BARE_ROOT:-$repo/build/bare-debian}
keep=0
if [[ ${1:-} == --keep ]]; then keep=1; shift; fi
runs=("$@")
((${#runs[@]})) || runs=("demo ONESHOT=1" "test")

"$repo/tools/install_packages.sh" root

# shellcheck source=tests/support/debian_root.sh
source "$repo/tests/support/debian_root.sh"
echo "bare_debian: making $root"
make_debian_root "$root" ca-certificates,git,make
take_over "$root" /etc/pip.conf /etc/npmrc "${NODE_EXTRA_CA_CERTS:-}"
home=${HOME:-/root}
for path in .config/pip .pip .m2/settings.xml .config/go/env .npmrc; do
  if [[ -e $home/$path ]]; then
    mkdir -p "$root/root/$(dirname "$path")"
    cp -aL "$home/$path" "$root/root/$(dirname "$path")/"
  fi
done
environment=(HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
             LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive)
while IFS= read -r name; do
  environment+=("$name=${!name}")
done < <(compgen -e | grep -E '^(PIP_.*|GOPROXY|GOSUMDB|GONOSUMDB|GOFLAGS|GOPRIVATE|MAVEN_OPTS|MAVEN_ARGS|https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY|SSL_CERT_FILE|SSL_CERT_DIR|NODE_EXTRA_CA_CERTS|(npm_config|NPM_CONFIG)_.*)$' || true)

mount_debian_root "$root"
if [[ ${CCACHE_SHARE:-} == 1 ]] && command -v ccache >/dev/null; then
  cache=$(ccache --get-config cache_dir)
  mkdir -p "$root/ccache"
  mount --bind "$cache" "$root/ccache"
  environment+=(CCACHE_DIR=/ccache)
fi

git clone -q --no-hardlinks "$repo" "$root/src/totora"
git -C "$root/src/totora" checkout -q --detach "$(git -C "$repo" rev-parse HEAD)"

status=0
for run in "${runs[@]}"; do
  read -r -a words <<<"$run"
  began=$SECONDS
  if chroot "$root" env -i "${environment[@]}" make -C /src/totora "${words[@]}" </dev/null; then
    result=ok
  else
    result=FAILED status=1
  fi
  echo "bare_debian: make $run: $result after $((SECONDS - began)) s"
done

umount -R "$root"
((keep)) || rm -rf --one-file-system "$root"
exit "$status"
