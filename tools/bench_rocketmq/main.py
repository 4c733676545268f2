"""Measures RocketMQ's own benchmark producer against RocketMQ and against
Totora, in turns, and writes docs/results/DATE-classic.md.

    make bench-rocketmq

Run it on an otherwise idle machine: everything shares its cores.
"""

import argparse
import datetime
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import page
import processes
import servers

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
TOPIC = "bench"
# RocketMQ's servers need minutes until the JVM has compiled what they run: after
# 10 s they serve a tenth of what they do later. Warm is who has got no faster in
# 30 s than in the 30 s before; whoever still does after the longest time is counted as he is.
WARM_UP_S = 60
WARM_UP_MAX_S = 300
STEADY_WINDOWS = 3
STEADY_RATIO = 1.05
WINDOW_S = 10  # The producer prints its figures so often.
# After the kill the probe is watched until it has sent for so long.
RECOVERED_S = 8
TPS = re.compile(r"Send TPS: (\d+) \| Max RT\(ms\): (\d+) \| Average RT\(ms\): +([\d.]+)"
                 r" \| Send Failed: (\d+)")
# Name, what is run, its flags: `totora bench`, which speaks both dialects.
NATIVE = (("singles, 64 outstanding", "send", ["--outstanding", "64"]),
          ("singles, 4 clients with 64 outstanding", "send", ["--clients", "4", "--outstanding",
                                                              "64"]),
          ("batches of 32", "send", ["--batch", "32", "--clients", "2", "--outstanding", "8"]),
          ("pull of a backlog, 32 a time", "receive", ["--batch", "32", "--outstanding", "8",
                                                      "--consumer-group", "bench", "--until-empty"]))


def java_client(options, namesrv, work, *args):
    """A Java program on RocketMQ's client, in the state that users have it."""
    return subprocess.Popen(
        ["java", "-Xms512m", "-Xmx512m", f"-Drocketmq.client.logRoot={work}/client-logs",
         "-Drocketmq.client.logLevel=ERROR", "-Dorg.apache.rocketmq.client.sendSmartMsg=true",
         f"-Drocketmq.namesrv.addr={namesrv}", "-cp", os.path.join(options.lib, "*"), *args],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def end(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def is_warm(windows):
    count = len(windows)
    if count * WINDOW_S < WARM_UP_S:
        return False
    if count * WINDOW_S >= WARM_UP_MAX_S:
        return True
    tps = [window["tps"] for window in windows]
    return sum(tps[-STEADY_WINDOWS:]) <= STEADY_RATIO * sum(tps[-2 * STEADY_WINDOWS:-STEADY_WINDOWS])


def measure_producer(options, system, work):
    """TPS as the producer prints it every 10 s, and what the servers used in
    the same time."""
    producer = java_client(options, system.namesrv, work,
                           "org.apache.rocketmq.example.benchmark.Producer", "-n", system.namesrv,
                           "-t", TOPIC, "-w", "64", "-s", "1024")
    pids = list(system.pids().values())
    windows = []
    cpu_at = []
    began = None  # The last window of the warm-up: it tells where the others begin.
    deadline = time.monotonic() + WARM_UP_MAX_S + options.seconds + 60
    watchdog = threading.Timer(deadline - time.monotonic(), producer.kill)
    watchdog.start()
    client_at = []
    for line in producer.stdout:
        found = TPS.search(line)
        if not found:
            continue
        cpu_at.append(processes.cpu_us(pids))
        client_at.append(processes.cpu_us([producer.pid]))
        windows.append({"tps": int(found.group(1)), "max_ms": int(found.group(2)),
                        "average_ms": float(found.group(3)), "failed": int(found.group(4))})
        if began is None and is_warm(windows):
            began = len(windows) - 1
        if began is not None and (len(windows) - 1 - began) * WINDOW_S >= options.seconds:
            break
    watchdog.cancel()
    memory = {name: processes.rss_mb(pid) for name, pid in system.pids().items()}
    anonymous = sum(processes.anonymous_mb(pid) for pid in pids)
    end(producer)
    print(f"bench: TPS every {WINDOW_S} s: {[window['tps'] for window in windows]}", flush=True)
    if began is None or len(windows) < began + 2:
        raise RuntimeError(f"{system.name}: the producer printed {len(windows)} figures")
    counted = windows[began + 1:]
    messages = sum(window["tps"] for window in counted) * WINDOW_S
    if messages == 0:
        raise RuntimeError(f"{system.name}: the producer sent nothing: {windows}")
    return {"warm_s": (began + 1) * WINDOW_S,
            "tps": statistics.mean(window["tps"] for window in counted),
            "average_ms": statistics.mean(window["average_ms"] for window in counted),
            "failed": counted[-1]["failed"] - windows[began]["failed"],
            "server_cpu_us": (cpu_at[-1] - cpu_at[began]) / messages,
            "client_cpu_us": (client_at[-1] - client_at[began]) / messages,
            "rss_mb": sum(memory.values()), "largest_mb": max(memory.values()),
            "anonymous_mb": anonymous}


def measure_gap(options, system, work):
    """Milliseconds for which one Java producer could not send when the leader
    was killed with -9."""
    probe = java_client(options, system.namesrv, work, os.path.join(ROOT, "tools", "bench_rocketmq",
                                                                    "GapProbe.java"),
                        system.namesrv, TOPIC, str(options.gap_s))
    killed_ms = None
    gaps = []
    try:
        for line in probe.stdout:
            word, *figures = line.split() or [""]  # The client has words of its own, too.
            if word == "ready":
                time.sleep(2)
                killed_ms = time.time() * 1000
                system.kill_leader(TOPIC)
            elif word == "gap" and killed_ms and int(figures[1]) >= killed_ms:
                gaps.append(int(figures[0]))
            elif word == "at" and killed_ms and int(figures[0]) > killed_ms + RECOVERED_S * 1000:
                break
        else:
            raise RuntimeError(f"{system.name}: no sends within {options.gap_s} s after the kill")
    finally:
        end(probe)
    return max(gaps, default=0)


def run_system(options, make, work, found):
    folder = tempfile.mkdtemp(dir=work)
    system = make(folder)
    print(f"bench: {system.name}", flush=True)
    began = time.monotonic()
    try:
        system.start(TOPIC)
        result = {"start_s": time.monotonic() - began}
        result.update(measure_producer(options, system, work))
        print(f"bench: {result['tps']:.0f}/s", flush=True)  # Whatever becomes of the rest.
        result["gap_ms"] = measure_gap(options, system, work)
    finally:
        system.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"bench: {result['tps']:.0f}/s, {result['server_cpu_us']:.1f} us of the servers a "
          f"message, {result['rss_mb']:.0f} MB, gap {result['gap_ms']} ms", flush=True)
    found.setdefault(system.name, []).append(result)


def run_native(options, work):
    """Our own client, in the classic protocol, against Totora."""
    found = {name: [] for name, _, _ in NATIVE}
    for flags in ((), ("--no-group-address",)):
        for _ in range(options.native_rounds):
            folder = tempfile.mkdtemp(dir=work)
            system = servers.Totora(options.totora, folder, flags)
            try:
                system.start(TOPIC)
                for name, kind, bench_flags in NATIVE:
                    result = system.bench(kind, "--protocol", "classic", "--topic", TOPIC,
                                          *bench_flags, seconds=options.native_s)
                    result["mode"] = system.name
                    found[name].append(result)
                    print(f"bench: {system.name}, {name}: {result['messages_per_second']:.0f}/s, "
                          f"{result['cpu_us_per_message']['total']:.1f} us a message", flush=True)
            finally:
                system.stop()
                shutil.rmtree(folder, ignore_errors=True)
    return found


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--lib", required=True, help="RocketMQ's jars")
    parser.add_argument("--rounds", type=int, default=3, help="of each system, in turns")
    parser.add_argument("--seconds", type=int, default=30, help="of a producer, after warm-up")
    parser.add_argument("--gap-s", type=int, default=45, help="at most, of each kill")
    parser.add_argument("--native-rounds", type=int, default=2)
    parser.add_argument("--native-s", type=int, default=6)
    parser.add_argument("--heap", default="1g", help="of each of RocketMQ's brokers")
    parser.add_argument("--systems", default="rocketmq,totora,direct")
    parser.add_argument("--work", help="where clusters and records go; kept")
    parser.add_argument("--out", help="the page; default docs/results/DATE-classic.md")
    options = parser.parse_args()
    options.totora = os.path.join(os.path.abspath(options.build), "bin", "totora")
    options.lib = os.path.abspath(options.lib)
    return options


def main():
    options = parse_arguments()
    work = os.path.abspath(options.work or tempfile.mkdtemp(prefix="bench-rocketmq-"))
    os.makedirs(work, exist_ok=True)
    head = page.head(work)
    makers = {
        "rocketmq": lambda folder: servers.RocketMq(options.lib, folder, options.heap),
        "totora": lambda folder: servers.Totora(options.totora, folder),
        "direct": lambda folder: servers.Totora(options.totora, folder, ["--no-group-address"]),
    }
    found = {}
    began = time.monotonic()
    for _ in range(options.rounds):
        for name in options.systems.split(","):
            run_system(options, makers[name], work, found)
    native = run_native(options, work) if options.native_rounds > 0 else {}
    with open(os.path.join(work, "raw.json"), "w", encoding="utf-8") as file:
        json.dump({"java": found, "native": native}, file, indent=1)
    out = options.out or os.path.join(ROOT, "docs", "results",
                                      f"{datetime.date.today().isoformat()}-classic.md")
    with open(out, "w", encoding="utf-8") as file:
        file.write(page.text(head, options, found, native))
    print(f"bench: {out}, {time.monotonic() - began:.0f} s")
    if options.work is None:
        shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
