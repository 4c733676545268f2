#!/usr/bin/env python3
"""The container image: two builds are equal, it holds what it should and nothing else,
engines can read it, and a broker of it works with a read-only root, as user 10001,
without capabilities, within 256 MiB.

Usage (as root): image_test.py [--bin DIR]
"""

import argparse
import filecmp
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys
import tempfile
import time

import containers
from containers import Container, Image, Mount, await_ready, check

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MESSAGES = 10_000
SENDERS = 4
MEMORY = 256 << 20
SIZE_MAX = 40e6
READY_MAX = 1.0
PROGRAMS = {"totora", "totora-broker", "totora-namesrv"}

NAMESRV_CONF = "listen = 127.0.0.1:9876\n"
# Small segments, so that 10 MB of messages make many of them.
BROKER_CONF = """\
broker.name = broker-a
replica.id = 1
replica.peers = 1@127.0.0.1:40911
data.dir = /var/lib/totora/broker
namesrv.addresses = 127.0.0.1:9876
segment.bytes = 1MiB
log.file = /var/lib/totora/broker.log
"""
READY = "http://127.0.0.1:5557/readyz"


def build(bin_folder, out, *options):
    return subprocess.run([ROOT / "packaging/build_image.py", "--bin", bin_folder, "--out", out, *options],
                          check=True, capture_output=True, text=True).stdout


def check_content(image):
    files = {str(path.relative_to(image.rootfs)): path.lstat() for path in image.rootfs.rglob("*")}
    programs = {name.rpartition("/")[2] for name in files if name.startswith("usr/bin/")}
    check(programs == PROGRAMS and not any(n.startswith(("sbin/", "usr/sbin/")) for n in files),
          f"the only programs are {', '.join(sorted(programs))}: no shell, no package manager")
    check(not any(s.st_mode & (stat.S_ISUID | stat.S_ISGID) for s in files.values()), "no file is setuid or setgid")
    theirs = [name for name, s in files.items() if s.st_uid == 10001]
    check(theirs == ["var/lib/totora"], "user 10001 owns the data folder and nothing else")
    writable = [n for n, s in files.items() if s.st_mode & stat.S_IWOTH and not stat.S_ISLNK(s.st_mode)]
    check(writable == ["tmp"], "only /tmp is writable for everybody")
    check(image.config["config"]["User"] == "10001:10001", "its user is 10001")
    sbom = json.loads((image.rootfs / "usr/share/sbom/totora.spdx.json").read_text())
    listed = {package["name"] for package in sbom["packages"]}
    documented = {path.name for path in (image.rootfs / "usr/share/doc").iterdir()}
    check(listed == documented, f"the SBOM lists {len(listed)} packages, each with its licence in the image")
    for path in ("etc/ssl/certs/ca-certificates.crt", "usr/share/zoneinfo/Europe/Berlin"):
        check(path in files and files[path].st_size > 0, f"it has /{path}")


def check_import(archive, image, folder):
    """containerd reads the archive, if containerd is installed here."""
    if not pathlib.Path("/usr/bin/containerd").exists():
        print("not shown: containerd is not installed, `ctr images import` was not tried")
        return
    settings = folder / "containerd.toml"
    settings.write_text(f'''version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{folder}/containerd.sock"
''')
    with open(folder / "containerd.log", "wb") as log:
        daemon = subprocess.Popen(["containerd", "-c", settings], stdout=log, stderr=log)
    try:
        ctr = ["ctr", "-a", str(folder / "containerd.sock")]
        began = time.monotonic()
        while subprocess.run([*ctr, "version"], capture_output=True).returncode != 0:
            if time.monotonic() - began > 30:
                sys.exit("FAILED: containerd does not start:\n" + (folder / "containerd.log").read_text())
            time.sleep(0.1)
        subprocess.run([*ctr, "images", "import", archive], check=True, capture_output=True)
        listed = subprocess.run([*ctr, "images", "ls"], check=True, capture_output=True, text=True).stdout
        check(all(f"library/{name} " in listed for name in image.names) and image.digest in listed,
              f"`ctr images import` takes it as {', '.join(image.names)}, digest {image.digest[:19]}…")
    finally:
        daemon.terminate()
        daemon.wait(30)


def scanned(broker):
    lines = broker.must_exec("totora", "log", "scan", "--topic", "orders", "-o", "json").splitlines()
    return [json.loads(line)["message_id"] for line in lines]


def send_all(broker):
    """The messages, sent by several programs at once, by the image's own command line."""
    body = "x" * 1024
    command = broker._runc("exec", broker.name, "totora", "send", "--topic", "orders", "--body", body,
                           "--count", str(MESSAGES // SENDERS), "-o", "json")
    senders = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(SENDERS)]
    return all([sender.wait(600) == 0 for sender in senders])


def start(broker):
    began = time.monotonic()
    broker.start()
    await_ready(READY, broker)
    return time.monotonic() - began


def check_rotation(volume, broker):
    segments = len(list((volume / "broker").rglob("*.seg")))
    check(segments >= MESSAGES * 1024 // (1 << 20), f"the log rolled: {segments} segments of 1 MiB")
    # What logrotate's copytruncate does: the programs append, so nothing else is needed.
    log = volume / "broker.log"
    (volume / "broker.log.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)
    broker.must_exec("totora", "topic", "create", "later")
    status = broker.stop()
    text = log.read_bytes()
    check(status == 0 and text.startswith(b"20") and b"\0" not in text and b"stopping" in text,
          "its own log, copied away and truncated, goes on from the beginning")


def check_running(image, folder):
    volume, conf = folder / "volume", folder / "conf"
    volume.mkdir()
    os.chown(volume, 10001, 10001)
    conf.mkdir()
    (conf / "namesrv.conf").write_text(NAMESRV_CONF)
    (conf / "broker.conf").write_text(BROKER_CONF)
    settings = Mount(conf, "/etc/totora", read_only=True)
    namesrv = Container(image, "namesrv", ["totora-namesrv", "--config", "/etc/totora/namesrv.conf"], folder,
                        [settings], memory=MEMORY)
    broker = Container(image, "broker", ["totora-broker", "--config", "/etc/totora/broker.conf"], folder,
                       [settings, Mount(volume, "/var/lib/totora")], memory=MEMORY)
    try:
        namesrv.start()
        await_ready("http://127.0.0.1:9876/readyz", namesrv)
        fresh = start(broker)
        pid = json.loads(subprocess.run(broker._runc("state", broker.name), capture_output=True, text=True).stdout)["pid"]
        status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                      if ":\t" in line)
        caps = [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")]
        check(status["Uid"].split()[0] == "10001" and not any(caps) and status["NoNewPrivs"] == "1",
              "it runs as 10001, without any capability, and can gain none")
        mounts = pathlib.Path(f"/proc/{pid}/mounts").read_text().splitlines()
        root = [line.split() for line in mounts if line.split()[1] == "/"][-1]
        check("ro" in root[3].split(","), "its root is read-only")
        probe = broker.exec("totora", "probe")
        check(probe.returncode == 0 and probe.stdout == "ok\n", "`totora probe` says ok inside")
        broker.must_exec("totora", "topic", "create", "orders")
        check(send_all(broker), f"{MESSAGES} messages of 1 KiB were sent, {SENDERS} senders at once")
        ids = scanned(broker)
        check(len(ids) == MESSAGES and len(set(ids)) == MESSAGES, f"{len(set(ids))} are stored, each once")
        peak = broker.memory("peak")
        check_rotation(volume, broker)
        again = start(broker)
        check(scanned(broker) == ids, "after a stop and a start they are all there")
        broker.stop(signal.SIGKILL)
        killed = start(broker)
        check(scanned(broker) == ids, "after kill -9 and a start they are all there")
        got = broker.must_exec("totora", "receive", "--topic", "orders", "--consumer-group", "readers",
                               "--count", str(MESSAGES), "-o", "json", timeout=300).splitlines()
        check(len({json.loads(line)["message_id"] for line in got}) == MESSAGES, f"{MESSAGES} were received")
        peak = max(peak, broker.memory("peak"))
        check(broker.stop() == 0 and 0 < peak <= MEMORY,
              f"within {MEMORY >> 20} MiB, files it cached included: {peak / (1 << 20):.0f} MiB at most")
        print(f"start to ready, engine included: {fresh:.2f} s with an empty volume, {again:.2f} s after a stop, "
              f"{killed:.2f} s after kill -9")
        check(max(fresh, again, killed) <= READY_MAX, f"start to ready takes at most {READY_MAX} s")
    finally:
        broker.discard()
        namesrv.discard()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    arguments = parser.parse_args()
    containers.enter_namespaces()
    with tempfile.TemporaryDirectory(prefix="totora-image-") as name:
        folder = pathlib.Path(name)
        os.chmod(folder, 0o755)
        print(build(arguments.bin, folder / "one.tar"), end="")
        build(arguments.bin, folder / "two.tar", "--quiet")
        check(filecmp.cmp(folder / "one.tar", folder / "two.tar", shallow=False), "two builds are equal to the byte")
        image = Image(folder / "one.tar", folder / "image")
        check(image.compressed_bytes <= SIZE_MAX,
              f"{image.compressed_bytes / 1e6:.1f} MB compressed, at most {SIZE_MAX / 1e6:.0f}")
        check_content(image)
        check_import(folder / "one.tar", image, folder)
        check_running(image, folder)
    print("image: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
