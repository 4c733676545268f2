"""Throughput, latency, memory and start time of a cluster that nobody kills."""

import json
import os
import signal
import statistics
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
BATCHED, SINGLE, ONE = (name for name, _ in SENDS)
# How clients reach the leader: at its own address, or at one address that all
# replicas share, where two of three connections end at one that forwards.
MODES = {"direct": ["--no-group-address"], "group": []}


class LocalCluster:
    def __init__(self, build, folder, flags):
        self._totora = os.path.join(build, "bin", "totora")
        self._broker = os.path.join(build, "bin", "totora-broker")
        self._flags = flags
        self.folder = folder
        self._children = []

    def run(self, *args, seconds=120):
        done = subprocess.run([self._totora, *args, "--dir", self.folder, "--output", "json"],
                              capture_output=True, text=True, timeout=seconds, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"totora {' '.join(args)}: {done.stderr or done.stdout}")
        return done.stdout

    def start(self):
        self.run("local", "start", "--brokers", "3", *self._flags)
        return json.loads(self.run("local", "status"))

    def stop(self):
        for child in self._children:
            if child.poll() is None:
                child.terminate()
                child.wait(30)
        self.run("local", "stop")

    def bench(self, kind, *flags, seconds):
        text = self.run("bench", kind, *flags, "--duration", f"{seconds}s",
                        seconds=60 + 2 * seconds)
        return json.loads(text.strip().splitlines()[-1])

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
    found = {}
    for mode, flags in MODES.items():
        cluster = LocalCluster(options.build, os.path.join(work, f"load-{mode}"), flags)
        try:
            cluster.start()
            found[mode] = run_mode(cluster, options)
        finally:
            cluster.stop()
    found.update(idle(options, work))
    return found


def idle(options, work):
    """A cluster of its own, without topics: memory after a while, and a start."""
    cluster = LocalCluster(options.build, os.path.join(work, "idle"), [])
    try:
        status = cluster.start()
        time.sleep(options.idle_s)
        followers = [broker for broker in status["brokers"] if broker["id"] != status["leader"]]
        return {"rss_mb": [rss_mb(broker["pid"]) for broker in status["brokers"]],
                "start_ms": cluster.time_restart(followers[0])}
    finally:
        cluster.stop()


def run_mode(cluster, options):
    """Each figure is taken in `options.rounds` rounds, interleaved, so that all
    see the same moods of machine and disk."""
    cluster.run("topic", "create", TOPIC, "--type", "normal", "--queues", "8")
    runs = {"floor": [], "echo": [], **{name: [] for name, _ in SENDS}}
    for _ in range(options.rounds):
        runs["floor"].append(cluster.bench("floor", "--data-dir", cluster.folder, "--size", "1024",
                                           seconds=options.bench_s))
        runs["echo"].append(cluster.bench("echo", "--size", "1024", seconds=options.bench_s))
        for name, flags in SENDS:
            runs[name].append(cluster.bench("send", "--topic", TOPIC, *flags,
                                            seconds=options.bench_s))
    return runs


def verdict(is_met):
    return "met" if is_met else "**missed**"


def rates(runs):
    return [run["messages_per_second"] for run in runs]


def p50(runs):
    return statistics.median(run["latency_us"]["p50"] for run in runs)


def p99(runs):
    return statistics.median(run["latency_us"]["p99"] for run in runs)


def cpu(runs):
    return statistics.median(run["cpu_us_per_message"]["total"] for run in runs)


def describe_mode(runs):
    lines = ["| | median (lowest to highest round) | CPU µs a message, all processes | aim | |",
             "|---|---|---|---|---|"]
    for name, aim in ((BATCHED, BATCHED_AIM), (SINGLE, SINGLE_AIM)):
        found = rates(runs[name])
        rate = statistics.median(found)
        lines.append(f"| {name} | {rate:,.0f}/s ({min(found):,.0f} to {max(found):,.0f}) | "
                     f"{cpu(runs[name]):.1f} | ≥ {aim:,}/s | {verdict(rate >= aim)} |")
    floor, echo, one = p50(runs["floor"]), p50(runs["echo"]), p50(runs[ONE])
    bound = echo + 1.5 * floor
    lines.append(f"| {ONE}, p50 (p99) | {one:.0f} µs ({p99(runs[ONE]):.0f} µs) | "
                 f"{cpu(runs[ONE]):.0f} | ≤ echo {echo:.0f} + 1.5 × floor {floor:.0f} = "
                 f"{bound:.0f} µs | {verdict(one <= bound)} |")
    lines += ["", "CPU in µs a message by process, last round:", ""]
    for name, _ in SENDS:
        run_found = runs[name][-1]
        parts = ", ".join(f"{key} {value:.1f}"
                          for key, value in run_found["cpu_us_per_message"].items())
        lines.append(f"- {name}: {parts}; errors {run_found['errors']}, "
                     f"retries {run_found['retries']}")
    return lines


def describe(found):
    lines = ["### Clients at the leader's own address", ""] + describe_mode(found["direct"])
    lines += ["", "### Clients at the group address", ""] + describe_mode(found["group"])
    lines += ["", "### A broker by itself", "", "| | measured | aim | |", "|---|---|---|---|",
              f"| RSS of each broker {IDLE_S} s after start, no topic | "
              f"{', '.join(f'{mb:.0f}' for mb in found['rss_mb'])} MB | ≤ {RSS_AIM_MB} MB | "
              f"{verdict(max(found['rss_mb']) <= RSS_AIM_MB)} |",
              f"| start of a killed broker: exec to /healthz, to /readyz | "
              f"{found['start_ms']['healthz']:.0f} ms, {found['start_ms']['readyz']:.0f} ms | "
              f"≤ {START_AIM_MS} ms | {verdict(found['start_ms']['readyz'] <= START_AIM_MS)} |"]
    return lines
