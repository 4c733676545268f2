#!/bin/bash
# Packs programs that are built already as a Debian package.
#
# Usage: packaging/build_deb.sh
#   BIN_DIR      where the three programs are (default build/release/bin)
#   OUT_DIR      where the package goes (default build/packages)
#   DEB_VERSION  default: the project's version, with "~", the commit's time and
#                its name unless the commit is tagged with that version: later
#                commits sort later, and a release sorts after all of them
#
# What debhelper is told is in packaging/deb. Man pages and completions are
# generated from the programs' help by packaging/cli_docs.py. Dependencies are
# what dpkg-shlibdeps finds. Equal programs, commit and version make an equal
# package: times are those of the commit.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=${BIN_DIR:-build/release/bin}
out=${OUT_DIR:-build/packages}
mkdir -p "$out"

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
version=${DEB_VERSION:-$(packaging/version.sh)}

# debhelper wants a folder named debian beside what it packs, and leaves its
# files in the folder above.
work=$(mktemp -d "${TMPDIR:-/tmp}/totora-deb.XXXXXX")
trap 'rm -rf "$work"' EXIT
stage=$work/totora
mkdir -p "$stage/bin" "$stage/etc"
cp -r packaging/deb "$stage/debian"
mv "$stage"/debian/{broker,namesrv}.conf "$stage/etc/"
install -m 755 "$bin"/totora "$bin"/totora-broker "$bin"/totora-namesrv "$stage/bin/"
packaging/cli_docs.py --bin "$stage/bin" --out "$stage/docs"
cat >"$stage/debian/changelog" <<END
totora ($version) unstable; urgency=medium

  * Commit $(git rev-parse --short=12 HEAD). What changed is in the project's CHANGELOG.md.

 -- Totora developers <totora@localhost>  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
END
cp CHANGELOG.md "$stage/docs/NEWS.md"

(
  cd "$stage"
  # Symbols go into a package of their own, totora-dbgsym, unless
  # DEB_BUILD_OPTIONS=noautodbgsym.
  dpkg-buildpackage --build=binary --no-sign --no-check-builddeps >"$work/log" 2>&1
) || { tail -40 "$work/log" >&2; exit 1; }
grep -E 'warning' "$work/log" >&2 || true
find "$work" -maxdepth 1 -name '*.deb' -print0 | while IFS= read -r -d '' package; do
  mv "$package" "$out/"
  echo "$out/$(basename "$package") $(stat -c %s "$out/$(basename "$package")") bytes"
done
