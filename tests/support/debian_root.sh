# shellcheck shell=bash
# Sourced: makes a Debian 12 in a folder, that gets its packages from where this
# machine gets them. Needs root and debootstrap.

# make_debian_root ROOT PACKAGE,PACKAGE...: what debootstrap says goes to ROOT.log.
make_debian_root() {
  local root=$1 packages=$2 mirror sources settings
  # The first source of this machine that carries the suite itself, in either of
  # apt's two notations.
  # shellcheck disable=SC2016  # apt's own variables.
  mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' |
    awk '$2 == "bookworm" {print $1; exit}')
  [[ -n $mirror ]] || { echo "debian_root: apt here has no source for bookworm" >&2; return 1; }
  rm -rf --one-file-system "$root"
  mkdir -p "$root"
  debootstrap --variant=minbase --include="$packages" bookworm "$root" "$mirror" \
    >"$root.log" 2>&1 || { tail -20 "$root.log" >&2; return 1; }
  # Only sources of Debian's own packages: others would bring in packages that a
  # bare Debian does not have.
  rm -f "$root/etc/apt/sources.list"
  for sources in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    [[ -e $sources ]] && grep -qE '\bbookworm(-updates|-security)?( |$)' "$sources" &&
      take_over "$root" "$sources"
  done
  mapfile -t settings < <(grep -l '^ *Acquire' /etc/apt/apt.conf /etc/apt/apt.conf.d/* 2>/dev/null || true)
  take_over "$root" "${settings[@]}" /usr/share/keyrings /etc/resolv.conf /etc/hosts /etc/ssl/certs \
    /usr/local/share/ca-certificates
}

# take_over ROOT PATH...: copies files and folders to the same place in ROOT, if they are here.
take_over() {
  local root=$1 path
  shift
  for path in "$@"; do
    [[ -e $path ]] || continue
    mkdir -p "$root$(dirname "$path")"
    rm -rf "${root:?}$path"  # It may hold links, which would lead back to this machine.
    cp -aL "$path" "$root$(dirname "$path")/"
  done
}

# mount_debian_root ROOT: in the caller's mount namespace.
mount_debian_root() {
  # A mount of its own, so that tests inside can make their mounts private.
  mount --bind "$1" "$1"
  mount -t proc proc "$1/proc"
  mount --rbind /dev "$1/dev"
  mount --rbind /sys "$1/sys"
}
