#!/bin/bash
# Installs the Debian 12 packages that a part of the project needs, if any is
# missing. Asking dpkg takes 50 ms, so nothing is remembered between runs: a
# stamp file would go on claiming packages that somebody has removed.
# PACKAGE:PROGRAM is not missed where the program is there without the package.
#
# Usage: tools/install_packages.sh PART...     PART: build | test | compat |
#                                           compat-classic | root | deb | image |
#                                           package-test
set -euo pipefail

declare -A packages=(
  [build]="cmake ninja-build ccache mold g++ pkg-config
    libboost1.81-dev libssl-dev libnghttp2-dev
    libgrpc++-dev libgrpc-dev protobuf-compiler-grpc
    libprotobuf-dev libprotoc-dev protobuf-compiler
    librocksdb-dev libabsl-dev libspdlog-dev prometheus-cpp-dev
    nlohmann-json3-dev libcli11-dev libfmt-dev
    zlib1g-dev liblz4-dev libzstd-dev libisal-dev libdeflate-dev libxxhash-dev
    libjsoncpp-dev libre2-dev libc-ares-dev libcurl4-openssl-dev
    libjemalloc-dev libgtest-dev libgmock-dev libbenchmark-dev"
  [test]="clang-19 libclang-rt-19-dev e2fsprogs iproute2 procps python3 util-linux"
  [compat]="openjdk-17-jdk-headless maven python3 python3-venv python3-pip procps"
  [compat-classic]="nodejs:node npm:npm iproute2:ip"
  [root]="debootstrap"
  [deb]="debhelper dpkg-dev git python3"
  [image]="python3 git binutils dpkg-dev ca-certificates tzdata"
  [package-test]="debootstrap systemd-container procps shellcheck iproute2 util-linux runc:runc containerd:containerd
    docker.io:dockerd docker-compose:docker-compose iptables"
)

wanted=()
for part in "$@"; do
  if [[ -z ${packages[$part]:-} ]]; then
    echo "install_packages: no such part: $part (parts: ${!packages[*]})" >&2
    exit 2
  fi
  read -r -d '' -a names <<<"${packages[$part]}" || true
  wanted+=("${names[@]}")
done

missing=()
for entry in "${wanted[@]}"; do
  name=${entry%%:*}
  if [[ $entry == *:* ]] && command -v "${entry#*:}" >/dev/null; then continue; fi
  status=$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null || true)
  [[ $status == *installed* && $status != *not-installed* ]] || missing+=("$name")
done
((${#missing[@]})) || exit 0

if ! command -v apt-get >/dev/null; then
  echo "install_packages: this script knows Debian 12 only; please install: ${missing[*]}" >&2
  exit 1
fi
sudo=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "install_packages: not root, and there is no sudo; please run as root:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  sudo=(sudo)
fi

echo "install_packages: installing ${missing[*]}"
apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y
     -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
"${apt[@]}" update
"${apt[@]}" install --no-install-recommends "${missing[@]}"
