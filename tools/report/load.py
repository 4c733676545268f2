"""Throughput, latency, memory and start time of a cluster that nobody kills."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request

TOPIC = "report"
IDLE_S = 60
RSS_AIM_MB = 60
START_AIM_MS = 500
BATCHED_AIM = 80_000
SINGLE_AIM = 20_000
# Name, flags of `totora bench send`.
SENDS = (("batched sends of 1 KiB", ["--size", "1024", "--batch", "64", "--clients", "2",
                                     "--outstanding", "8"]),
         ("single sends of 1 KiB, 64 outstanding", ["--size", "1024", "--outstanding", "64"]),
         ("one outstanding send of 1 KiB", ["--size", "1024", "--outstanding", "1"]))


class LocalCluster:
    def __init__(self, build, folder):
        self._totora = os.path.join(build, "bin", "totora")
        self._broker = os.path.join(build, "bin", "totora-broker")
        self.folder = folder
        self._children = []

    def run(self, *args, seconds=120):
        done = subprocess.run([self._totora, *args], capture_output=True, text=True,
                              timeout=seconds, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"totora {' '.join(args)}: {done.stderr or done.stdout}")
        return done.stdout

    def start(self):
        self.run("local", "start", "--brokers", "3", "--dir", self.folder, "--output", "json")
        return self.status()

    def status(self):
        return json.loads(self.run("local", "status", "--dir", self.folder, "--output", "json"))

    def stop(self):
        for child in self._children:
            if child.poll() is None:
                child.terminate()
                child.wait(30)
        self.run("local", "stop", "--dir", self.folder)

    def time_restart(self, broker):
        """Kills a broker and starts it again by hand: milliseconds from exec
        to the first /healthz and to the first /readyz."""
        os.kill(broker["pid"], signal.SIGKILL)
        while os.path.exists(f"/proc/{broker['pid']}"):
            with open(f"/proc/{broker['pid']}/stat", encoding="utf-8") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                    break
            time.sleep(0.005)
        began = time.monotonic()
        config = os.path.join(self.folder, f"broker-{broker['id']}.conf")
        self._children.append(subprocess.Popen([self._broker, "--config", config],
                                               stdout=subprocess.DEVNULL,
                                               stderr=subprocess.DEVNULL))
        times = {}
        for page in ("healthz", "readyz"):
            while not answers(f"http://{broker['metrics']}/{page}"):
                if time.monotonic() - began > 30:
                    raise RuntimeError(f"no /{page} after 30 s")
                time.sleep(0.002)
            times[page] = (time.monotonic() - began) * 1000
        return times


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def rss_mb(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return None


def run(options, work):
    folder = os.path.join(work, "load")
    cluster = LocalCluster(options.build, folder)
    found = {}
    status = cluster.start()
    try:
        time.sleep(options.idle_s)
        found["rss_mb"] = [rss_mb(broker["pid"]) for broker in status["brokers"]]
        followers = [broker for broker in status["brokers"] if broker["id"] != status["leader"]]
        found["start_ms"] = cluster.time_restart(followers[0])
        endpoint = status["group_address"]
        cluster.run("topic", "create", TOPIC, "--type", "normal", "--queues", "8", "--endpoint",
                    endpoint)
        # The floor first and last: the disk's mood changes.
        found["floor"] = [bench(cluster, "floor", "--directory", folder, "--size", "1024",
                                options=options)]
        found["echo"] = bench(cluster, "echo", "--endpoint", endpoint, "--size", "1024",
                              options=options)
        for name, flags in SENDS:
            found[name] = bench(cluster, "send", "--endpoint", endpoint, "--topic", TOPIC, "--dir",
                                folder, *flags, options=options)
        found["floor"].append(bench(cluster, "floor", "--directory", folder, "--size", "1024",
                                    options=options))
    finally:
        cluster.stop()
    return found


def bench(cluster, kind, *flags, options):
    text = cluster.run("bench", kind, *flags, "--duration", f"{options.bench_s}s", "--output",
                       "json", seconds=60 + 2 * options.bench_s)
    return json.loads(text.strip().splitlines()[-1])


def verdict(is_met):
    return "met" if is_met else "**missed**"


def describe(found):
    p50 = [run["latency_us"]["p50"] for run in found["floor"]]
    floor = sum(p50) / len(p50)
    echo = found["echo"]["latency_us"]["p50"]
    batched, single, one = (found[name] for name, _ in SENDS)
    bound = echo + 1.5 * floor
    lines = ["| | measured | aim | |", "|---|---|---|---|"]
    for name, run_found, aim in ((SENDS[0][0], batched, BATCHED_AIM),
                                 (SENDS[1][0], single, SINGLE_AIM)):
        rate = run_found["messages_per_second"]
        lines.append(f"| {name} | {rate:,.0f}/s, {run_found['cpu_us_per_message']['total']:.1f} µs "
                     f"CPU a message over all processes | ≥ {aim:,}/s | {verdict(rate >= aim)} |")
    latency = one["latency_us"]
    lines += [
        f"| {SENDS[2][0]}, p50 (p99) | {latency['p50']:.0f} µs ({latency['p99']:.0f} µs) | "
        f"≤ echo {echo:.0f} + 1.5 × floor {floor:.0f} = {bound:.0f} µs | "
        f"{verdict(latency['p50'] <= bound)} |",
        f"| `bench floor` p50, before and after | {p50[0]:.0f} and {p50[-1]:.0f} µs | | |",
        f"| RSS of each broker {IDLE_S} s after start, no topic | "
        f"{', '.join(f'{mb:.0f}' for mb in found['rss_mb'])} MB | ≤ {RSS_AIM_MB} MB | "
        f"{verdict(max(found['rss_mb']) <= RSS_AIM_MB)} |",
        f"| start of a killed broker: exec to /healthz, to /readyz | "
        f"{found['start_ms']['healthz']:.0f} ms, {found['start_ms']['readyz']:.0f} ms | "
        f"≤ {START_AIM_MS} ms | {verdict(found['start_ms']['readyz'] <= START_AIM_MS)} |"]
    lines += ["", "CPU in µs a message, by process:", ""]
    for name, _ in SENDS:
        cpu = found[name]["cpu_us_per_message"]
        parts = ", ".join(f"{key} {value}" for key, value in cpu.items())
        lines.append(f"- {name}: {parts}; errors {found[name]['errors']}, "
                     f"retries {found[name]['retries']}")
    return lines
