"""Runs the container image without an engine: unpacks the archive, and starts its
programs by runc, the program that engines start containers with."""

import dataclasses
import gzip
import hashlib
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request


def enter_namespaces():
    """Runs the calling script again in namespaces of its own, so that mounts, interfaces
    and processes vanish with it however it ends."""
    if os.environ.get("TOTORA_TEST_INSIDE") == "1":
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    if os.geteuid() != 0:
        sys.exit("must be root, for namespaces and cgroups")
    os.environ["TOTORA_TEST_INSIDE"] = "1"
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
               "--propagation", "private", sys.executable, *sys.argv]
    os.execvp(command[0], command)


def check(condition, claim):
    """Prints what was shown, or ends the test."""
    if not condition:
        print(f"FAILED: {claim}", flush=True)
        sys.exit(1)
    print(f"ok: {claim}", flush=True)


class Image:
    """An image archive, unpacked as an engine would: every digest is checked."""

    def __init__(self, archive, folder):
        self.rootfs = pathlib.Path(folder) / "rootfs"
        self.rootfs.mkdir(parents=True)
        with tarfile.open(archive) as files:
            read = lambda name: files.extractfile(name).read()  # noqa: E731
            self.names = json.loads(read("manifest.json"))[0]["RepoTags"]
            saved = json.loads(read("manifest.json"))[0]
            index = json.loads(read("index.json"))["manifests"][0]
            self.digest = index["digest"]
            manifest = json.loads(self._blob(read, index))
            self.config = json.loads(self._blob(read, manifest["config"]))
            layers = [self._blob(read, layer) for layer in manifest["layers"]]
            check(saved["Config"].endswith(manifest["config"]["digest"][7:]) and
                  [name[-64:] for name in saved["Layers"]] == [l["digest"][7:] for l in manifest["layers"]],
                  "manifest.json and the OCI layout name the same image")
        self.compressed_bytes = sum(len(layer) for layer in layers)
        for layer, diff_id in zip(layers, self.config["rootfs"]["diff_ids"]):
            tar = gzip.decompress(layer)
            if "sha256:" + hashlib.sha256(tar).hexdigest() != diff_id:
                sys.exit(f"FAILED: a layer is not what the configuration says: {diff_id}")
            with tarfile.open(fileobj=io.BytesIO(tar)) as entries:
                entries.extractall(self.rootfs, numeric_owner=True)

    @staticmethod
    def _blob(read, descriptor):
        data = read("blobs/sha256/" + descriptor["digest"][7:])
        if "sha256:" + hashlib.sha256(data).hexdigest() != descriptor["digest"]:
            sys.exit(f"FAILED: a blob is not what its name says: {descriptor['digest']}")
        return data


@dataclasses.dataclass
class Mount:
    source: pathlib.Path
    target: str
    read_only: bool = False


class Container:
    """One program of an image: read-only root, the image's user, no capabilities,
    no new privileges, a limit of memory. Its own pid, mount, ipc and uts namespaces;
    the network namespace of the test, unless another is given."""

    def __init__(self, image, name, arguments, folder, mounts=(), environment=(), memory=0, network=""):
        self.name = f"totora-test-{os.getpid()}-{name}"
        self.image = image
        self.bundle = pathlib.Path(folder) / name
        self.state = pathlib.Path(folder) / "runc"
        self.output = self.bundle / "output"
        self.bundle.mkdir(parents=True)
        self.process = None
        spec = json.loads(subprocess.run(["runc", "spec", "-b", self.bundle], check=True) and
                          (self.bundle / "config.json").read_text())
        user, group = image.config["config"]["User"].split(":")
        spec["process"].update(
            terminal=False, args=list(arguments), noNewPrivileges=True,
            env=[*image.config["config"]["Env"], *environment],
            cwd=image.config["config"]["WorkingDir"], user={"uid": int(user), "gid": int(group)})
        for kind in spec["process"]["capabilities"]:
            spec["process"]["capabilities"][kind] = []
        spec["process"]["rlimits"] = []
        spec["root"] = {"path": str(image.rootfs), "readonly": True}
        spec["hostname"] = name
        kinds = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]
        if network:
            kinds.append({"type": "network", "path": network})
        spec["linux"]["namespaces"] = kinds
        spec["linux"]["cgroupsPath"] = f"/{self.name}"
        if memory:
            spec["linux"]["resources"]["memory"] = {"limit": memory, "swap": memory}
        # The machine's own /sys cannot be mounted anew in a network namespace that is not
        # the container's.
        spec["mounts"] = [m for m in spec["mounts"] if m["destination"] not in ("/sys", "/sys/fs/cgroup")]
        for mount in mounts:
            spec["mounts"].append({
                "destination": mount.target, "type": "bind", "source": str(mount.source),
                "options": ["bind", "nosuid", "nodev", "ro" if mount.read_only else "rw"]})
        (self.bundle / "config.json").write_text(json.dumps(spec))

    def _runc(self, *arguments):
        return ["runc", "--root", str(self.state), *arguments]

    def start(self):
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                self._runc("run", "-b", str(self.bundle), self.name),
                stdout=output, stderr=output, stdin=subprocess.DEVNULL)

    def send_signal(self, number):
        subprocess.run(self._runc("kill", self.name, str(int(number))), check=True)

    def stop(self, number=signal.SIGTERM, timeout=60):
        """Returns the exit status, after the container is gone."""
        self.send_signal(number)
        return self.process.wait(timeout)

    def exec(self, *arguments, timeout=120, stdin=None):
        return subprocess.run(self._runc("exec", self.name, *arguments), input=stdin,
                              capture_output=True, text=True, timeout=timeout)

    def must_exec(self, *arguments, **options):
        result = self.exec(*arguments, **options)
        if result.returncode != 0:
            sys.exit(f"FAILED: {' '.join(arguments)}: status {result.returncode}: {result.stderr}{result.stdout}")
        return result.stdout

    def memory(self, name):
        """A number of the container's memory cgroup, of either version; 0 if it has no such."""
        older = {"peak": "memory.max_usage_in_bytes", "now": "memory.usage_in_bytes"}
        newer = {"peak": "memory.peak", "now": "memory.current"}
        for path in (f"/sys/fs/cgroup/memory/{self.name}/{older[name]}",
                     f"/sys/fs/cgroup/{self.name}/{newer[name]}"):
            if os.path.exists(path):
                return int(pathlib.Path(path).read_text())
        return 0

    def discard(self):
        subprocess.run(self._runc("delete", "--force", self.name), capture_output=True)
        if self.process:
            self.process.wait(30)

    def log(self):
        return self.output.read_text(errors="replace")


def http_get(url, timeout=1.0):
    """Status and body; status 0 while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def await_ready(url, container, timeout=60.0):
    """Seconds until `url` answers 200."""
    began = time.monotonic()
    while True:
        status, body = http_get(url)
        passed = time.monotonic() - began
        if status == 200:
            return passed
        if passed > timeout or container.process.poll() is not None:
            sys.exit(f"FAILED: {container.name} is not ready after {passed:.1f} s: {status} {body}\n{container.log()}")
        time.sleep(0.005)
