#!/bin/bash
# The version of what is packed from this commit: "0.1.0" if the commit is tagged
# v0.1.0, else "0.1.0~20261122.020000.c4a87c4": by Debian's rules later commits
# sort later, and the release sorts after all of them.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^project(totora VERSION \([0-9.]*\) .*/\1/p' CMakeLists.txt)
[[ -n $version ]] || { echo "version: CMakeLists.txt names no version" >&2; exit 1; }
if git tag --points-at HEAD | grep -qx "v$version"; then
  echo "$version"
else
  TZ=UTC git log -1 --date=format-local:%Y%m%d.%H%M%S --format="$version~%cd.%h" --abbrev=7
fi
