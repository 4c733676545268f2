#!/usr/bin/env python3
"""Builds the container image from plain files; no engine, no registry, no root.

Usage: build_image.py [--bin DIR] [--out FILE] [--name NAME:TAG]... [--quiet]

Takes the three programs in DIR, the shared libraries they need as they are
installed here by Debian's packages, certificates, time zones, licences, and
nothing else: no shell, no package manager. FILE is one archive that
`docker load` and `ctr images import` read alike: an OCI layout with the
manifest.json of `docker save` beside it.

Reproducible: entries are sorted, owners are numbers, every time is that of the
commit (SOURCE_DATE_EPOCH), so equal programs and packages make equal bytes.

Inside: usr/share/sbom/totora.spdx.json lists every Debian package that a file
came from, and var/lib/dpkg/status.d/ says the same to scanners that look there.
"""

import argparse
import datetime
import functools
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import zlib
from dataclasses import dataclass, field

PROGRAMS = ["totora", "totora-broker", "totora-namesrv"]
UID = 10001
# Compiled into the programs, so no file tells of them: headers and static libraries.
COMPILED_IN = ["libboost1.81-dev", "libcli11-dev", "nlohmann-json3-dev"]
PORTS = [9876, 8081, 10909, 10911, 40911, 5557]
MEGABYTE = 1e6


class ImageError(Exception):
    """Something that the image needs is not here."""


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@dataclass
class Entry:
    """A file, folder or link of the image."""

    kind: bytes
    mode: int
    data: bytes = b""
    target: str = ""
    uid: int = 0
    package: str = ""  # Debian's, or "totora".


@dataclass
class Layer:
    """Path -> entry. Folders above a path are made as they are needed."""

    about: str
    entries: dict[str, Entry] = field(default_factory=dict)

    def add(self, path, entry):
        parts = path.split("/")
        for i in range(1, len(parts)):
            self.entries.setdefault("/".join(parts[:i]), Entry(tarfile.DIRTYPE, 0o755))
        self.entries[path] = entry

    def file(self, path, data, package, mode=0o644):
        self.add(path, Entry(tarfile.REGTYPE, mode, data, package=package))

    def folder(self, path, mode=0o755, uid=0):
        self.add(path, Entry(tarfile.DIRTYPE, mode, uid=uid))

    def link(self, path, target):
        self.add(path, Entry(tarfile.SYMTYPE, 0o777, target=target))

    def tar(self, time):
        """The layer, uncompressed. Of equal files all but the first are hard links."""
        buffer, first = io.BytesIO(), {}
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path, entry in sorted(self.entries.items()):
                info = tarfile.TarInfo(path)
                info.type, info.mode, info.linkname = entry.kind, entry.mode, entry.target
                info.uid = info.gid = entry.uid
                info.mtime = time
                content = (entry.mode, entry.data)
                if entry.kind == tarfile.REGTYPE and entry.data and content in first:
                    info.type, info.linkname = tarfile.LNKTYPE, first[content]
                    archive.addfile(info)
                    continue
                first.setdefault(content, path)
                info.size = len(entry.data)
                archive.addfile(info, io.BytesIO(entry.data))
        return buffer.getvalue()


# --- what goes in ---------------------------------------------------------------


class Packages:
    """Debian's packages, as dpkg knows them here."""

    def __init__(self):
        self.used = {}  # Name -> field -> value.

    def use(self, package):
        if package not in self.used:
            fields = ["Package", "Version", "Architecture", "Homepage", "source:Package", "source:Version"]
            form = "\n".join(f"${{{name}}}" for name in fields)
            values = run("dpkg-query", "-W", f"-f={form}", package).split("\n")
            self.used[package] = dict(zip(fields, values))
        return package

    def owner(self, path):
        """The package of a file; with merged /usr dpkg may know it by its older path."""
        for name in (path, path.removeprefix("/usr")):
            found = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True)
            if found.returncode == 0:
                return self.use(found.stdout.splitlines()[0].split(":")[0].split(",")[0])
        raise ImageError(f"{path} belongs to no Debian package, so nobody could say what it is")

    def files(self, package, under):
        listed = run("dpkg-query", "-L", package).splitlines()
        found = sorted(path for path in listed if path.startswith(under) and not os.path.isdir(path))
        if not found:
            raise ImageError(f"the package {package} has no file under {under}; is it installed?")
        self.use(package)
        return found

    def status(self, package):
        return run("dpkg-query", "-s", package)


def libraries(binaries):
    """Path by which the loader finds it -> file, of all that the programs need."""
    found = {}
    for binary in binaries:
        for line in run("ldd", str(binary)).splitlines():
            if "not found" in line:
                raise ImageError(f"{binary}: {line.strip()}")
            match = re.search(r"(?:=> )?(/\S+) \(0x", line)
            if match:
                found[match.group(1)] = os.path.realpath(match.group(1))
    return found


@functools.cache
def stripped(binary):
    with tempfile.NamedTemporaryFile() as copy:
        run("strip", "-o", copy.name, str(binary))
        return pathlib.Path(copy.name).read_bytes()


def system_layer(binaries, packages):
    layer = Layer("Debian's libraries, certificates, time zones")
    # As in Debian: /lib and /lib64 are names for what is under /usr.
    for name in ("lib", "lib64"):
        layer.folder(f"usr/{name}")
        layer.link(name, f"usr/{name}")
    for wanted, file in sorted(libraries(binaries).items()):
        path = wanted.lstrip("/")
        path = path if path.startswith("usr/") else f"usr/{path}"
        layer.file(path, pathlib.Path(file).read_bytes(), packages.owner(file), 0o755)
    bundle = b"".join(pathlib.Path(path).read_bytes().rstrip(b"\n") + b"\n"
                      for path in packages.files("ca-certificates", "/usr/share/ca-certificates/"))
    layer.file("etc/ssl/certs/ca-certificates.crt", bundle, "ca-certificates")
    for path in packages.files("tzdata", "/usr/share/zoneinfo/"):
        if re.match(r"/usr/share/zoneinfo/(posix|right)/", path):
            continue  # The same zones again, and zones that count leap seconds.
        if os.path.islink(path):
            layer.link(path.lstrip("/"), os.readlink(path))
        else:
            layer.file(path.lstrip("/"), pathlib.Path(path).read_bytes(), "tzdata")
    # Scanners read from it what distribution the packages are of.
    layer.file("usr/lib/os-release", pathlib.Path("/usr/lib/os-release").read_bytes(),
               packages.use("base-files"))
    layer.link("etc/os-release", "../usr/lib/os-release")
    for package in COMPILED_IN:
        try:
            packages.use(package)
        except subprocess.CalledProcessError as error:
            raise ImageError(f"{package} is compiled in, but not installed: its version is not known") from error
    for package in sorted(packages.used):
        text = pathlib.Path(f"/usr/share/doc/{package}/copyright").read_bytes()
        layer.file(f"usr/share/doc/{package}/copyright", text, package)
        if package not in COMPILED_IN:
            layer.file(f"var/lib/dpkg/status.d/{package}", packages.status(package).encode(), package)
    licences = sorted(pathlib.Path("/usr/share/common-licenses").iterdir())
    for licence in licences:
        path = str(licence).lstrip("/")
        if licence.is_symlink():
            layer.link(path, os.readlink(licence))
        else:
            layer.file(path, licence.read_bytes(), "base-files")
    return layer


def totora_layer(binaries, sbom):
    layer = Layer("programs, user, folders")
    for binary in binaries:
        layer.file(f"usr/bin/{binary.name}", stripped(binary), "totora", 0o755)
    layer.link("bin", "usr/bin")
    user = f"root:x:0:0:root:/:/none\ntotora:x:{UID}:{UID}:totora:/var/lib/totora:/none\n"
    layer.file("etc/passwd", user.encode(), "totora")
    layer.file("etc/group", f"root:x:0:\ntotora:x:{UID}:\n".encode(), "totora")
    layer.file("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n", "totora")
    layer.folder("etc/totora")
    # A volume mounted here for the first time takes over owner and mode.
    layer.folder("var/lib/totora", 0o750, UID)
    layer.folder("tmp", 0o1777)
    for name in ("dev", "proc", "sys", "run"):  # Mount points; the root is read-only.
        layer.folder(name)
    for name in ("hosts", "hostname", "resolv.conf"):
        layer.file(f"etc/{name}", b"", "totora")
    licence = pathlib.Path(__file__).parent.parent / "LICENSE"
    layer.file("usr/share/doc/totora/LICENSE", licence.read_bytes(), "totora")
    layer.file("usr/share/sbom/totora.spdx.json", sbom, "totora")
    return layer


# --- what is said about it ------------------------------------------------------


def spdx_id(name):
    return "SPDXRef-Package-" + re.sub(r"[^A-Za-z0-9.-]", "-", name)


def package_url(fields):
    version = fields["Version"].replace("+", "%2B").replace(":", "%3A").replace("~", "%7E")
    name = fields["Package"].replace("+", "%2B")
    return f"pkg:deb/debian/{name}@{version}?arch={fields['Architecture']}&distro=debian-12"


def spdx(packages, binaries, version, commit, created):
    checksums = {binary.name: hashlib.sha256(stripped(binary)).hexdigest() for binary in binaries}
    listed = [{
        "SPDXID": spdx_id("totora"),
        "name": "totora",
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "sourceInfo": f"commit {commit}",
        "filesAnalyzed": False,
        "licenseConcluded": "Apache-2.0",
        "licenseDeclared": "Apache-2.0",
        "copyrightText": "NOASSERTION",
        "comment": "sha256 " + ", ".join(f"usr/bin/{name} {value}" for name, value in checksums.items()),
    }]
    relations = [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                  "relatedSpdxElement": spdx_id("totora")}]
    for name, fields in sorted(packages.used.items()):
        listed.append({
            "SPDXID": spdx_id(name),
            "name": name,
            "versionInfo": fields["Version"],
            "supplier": "Organization: Debian",
            "downloadLocation": "NOASSERTION",
            **({"homepage": fields["Homepage"]} if fields["Homepage"] else {}),
            "sourceInfo": f"built from {fields['source:Package']} {fields['source:Version']}",
            "filesAnalyzed": False,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "NOASSERTION",
            "licenseComments": f"see usr/share/doc/{name}/copyright",
            "copyrightText": "NOASSERTION",
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                              "referenceLocator": package_url(fields)}],
        })
        relations.append({
            "spdxElementId": spdx_id("totora"),
            "relationshipType": "STATIC_LINK" if name in COMPILED_IN else "DEPENDS_ON",
            "relatedSpdxElement": spdx_id(name)})
    body = json.dumps([listed, relations]).encode()
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"totora-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/totora-{version}-{hashlib.sha256(body).hexdigest()[:32]}",
        "creationInfo": {"created": created, "creators": ["Tool: totora-packaging-build_image"]},
        "packages": listed,
        "relationships": relations,
    }
    return (json.dumps(document, indent=1) + "\n").encode()


def image_config(layers, diff_ids, labels, created):
    return {
        "created": created,
        "architecture": run("dpkg", "--print-architecture").strip(),
        "os": "linux",
        "config": {
            "User": f"{UID}:{UID}",
            "ExposedPorts": {f"{port}/tcp": {} for port in PORTS},
            "Env": ["PATH=/usr/bin"],
            "Cmd": ["totora", "--help"],
            "WorkingDir": "/",
            "Labels": labels,
            "StopSignal": "SIGTERM",
        },
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created": created, "created_by": "packaging/build_image.py", "comment": layer.about}
                    for layer in layers],
    }


# --- the archive ----------------------------------------------------------------


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def full_name(name):
    """As containerd writes it: docker.io/library/totora:0.1.0."""
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


class Archive:
    """OCI layout and docker-save's manifest.json in one tar file."""

    def __init__(self, time):
        self.time = time
        self.files = {}

    def blob(self, data, media_type):
        self.files["blobs/sha256/" + digest(data).partition(":")[2]] = data
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    def json_blob(self, value, media_type):
        return self.blob(json.dumps(value, sort_keys=True).encode(), media_type)

    def write(self, path):
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
            for name in ("blobs", "blobs/sha256"):
                info = tarfile.TarInfo(name)
                info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, self.time
                archive.addfile(info)
            for name, data in sorted(self.files.items()):
                info = tarfile.TarInfo(name)
                info.size, info.mode, info.mtime = len(data), 0o644, self.time
                archive.addfile(info, io.BytesIO(data))


def blob_path(descriptor):
    return "blobs/sha256/" + descriptor["digest"].partition(":")[2]


def make_archive(layers, labels, names, time, created):
    archive = Archive(time)
    tars = [layer.tar(time) for layer in layers]
    packed = [archive.blob(gzip.compress(tar, 9, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip")
              for tar in tars]
    config = archive.json_blob(image_config(layers, [digest(tar) for tar in tars], labels, created),
                               "application/vnd.oci.image.config.v1+json")
    manifest = archive.json_blob({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": packed,
        "annotations": labels,
    }, "application/vnd.oci.image.manifest.v1+json")
    archive.files["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    archive.files["index.json"] = json.dumps({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{**manifest, "annotations": {
            "io.containerd.image.name": full_name(name),
            "org.opencontainers.image.ref.name": name.rpartition(":")[2],
        }} for name in names],
    }).encode()
    archive.files["manifest.json"] = json.dumps([{
        "Config": blob_path(config), "RepoTags": names, "Layers": [blob_path(layer) for layer in packed],
    }]).encode()
    return archive, manifest, packed


def print_weights(layers, packed, manifest, names):
    print(f"image {', '.join(names)}")
    print(f"digest {manifest['digest']}")
    for layer, descriptor in zip(layers, packed):
        size = sum(len(entry.data) for entry in layer.entries.values())
        print(f"  {descriptor['size'] / MEGABYTE:6.2f} MB compressed, {size / MEGABYTE:6.2f} MB: {layer.about}")
    weights = {}
    for layer in layers:
        for entry in layer.entries.values():
            if entry.data:
                before = weights.get(entry.package, (0, 0))
                weights[entry.package] = (before[0] + len(zlib.compress(entry.data, 9)), before[1] + len(entry.data))
    print("what weighs most (each file compressed alone):")
    for package, (small, size) in sorted(weights.items(), key=lambda item: -item[1][0])[:10]:
        print(f"  {small / MEGABYTE:6.2f} MB compressed, {size / MEGABYTE:6.2f} MB: {package}")
    print(f"compressed size {sum(descriptor['size'] for descriptor in packed) / MEGABYTE:.1f} MB")


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, default=root / "build/release/bin")
    parser.add_argument("--out", type=pathlib.Path, default=root / "build/packages/totora-image.tar")
    parser.add_argument("--name", action="append", default=[])
    parser.add_argument("--quiet", action="store_true", help="do not say what weighs")
    arguments = parser.parse_args()
    binaries = [arguments.bin / name for name in PROGRAMS]
    for binary in binaries:
        if not binary.exists():
            raise ImageError(f"{binary} is missing; `make build` makes it")
    version = run(root / "packaging/version.sh").strip()
    commit = run("git", "-C", root, "rev-parse", "HEAD").strip()
    time = int(os.environ.get("SOURCE_DATE_EPOCH") or run("git", "-C", root, "log", "-1", "--format=%ct"))
    created = datetime.datetime.fromtimestamp(time, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    # A tag may not have Debian's "~".
    names = arguments.name or [f"totora:{version.partition('~')[0]}", f"totora:{version.replace('~', '-')}"]
    names = list(dict.fromkeys(names))
    labels = {
        "org.opencontainers.image.title": "totora",
        "org.opencontainers.image.description": "message broker for RocketMQ's clients",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.revision": commit,
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.created": created,
    }
    packages = Packages()
    system = system_layer(binaries, packages)
    layers = [system, totora_layer(binaries, spdx(packages, binaries, version, commit, created))]
    archive, manifest, packed = make_archive(layers, labels, names, time, created)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    archive.write(arguments.out)
    if not arguments.quiet:
        print_weights(layers, packed, manifest, names)
    print(f"archive {arguments.out}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ImageError, subprocess.CalledProcessError) as error:
        print(f"build_image: {error} {getattr(error, 'stderr', '') or ''}", file=sys.stderr)
        sys.exit(1)
