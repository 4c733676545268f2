"""Measures the main job of the product and writes docs/results/DATE-main-job.md.

    cmake --build build/release --target totora totora-broker totora-namesrv \\
        totora_integration_kill_test
    python3 tools/report/main.py

Run it on an otherwise idle machine: everything shares its cores.
"""

import argparse
import datetime
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile

import kills
import load
import stolen

ROOT = kills.ROOT


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT,
                              check=False).stdout.strip()
    except OSError:
        return ""


def machine(work):
    model = "unknown processor"
    memory = 0
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory = int(file.readline().split()[1]) // (1 << 20)
    filesystem = output_of("findmnt", "-n", "-o", "FSTYPE,SOURCE", "--target", work)
    busy = os.getloadavg()[0]
    return (f"{os.cpu_count()} cores ({model}), {memory} GiB, Linux {platform.release()}, data on "
            f"{filesystem}; load average at the start {busy:.1f}")


def commit():
    head = output_of("git", "rev-parse", "--short=12", "HEAD")
    is_dirty = output_of("git", "status", "--porcelain", "--untracked-files=no") != ""
    return head + (" with local changes" if is_dirty else "")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--kills", type=int, default=50, help="of the leader, in each mode")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--languages", default="java,go", help="official clients beside ours")
    parser.add_argument("--modes", default="group,direct")
    parser.add_argument("--manual", action="store_true",
                        help="kill processes started by hand, not by `totora local`")
    parser.add_argument("--parts", default="load,kills")
    parser.add_argument("--bench-s", type=int, default=8, help="seconds of each benchmark")
    parser.add_argument("--rounds", type=int, default=3, help="of all benchmarks, interleaved")
    parser.add_argument("--idle-s", type=int, default=load.IDLE_S)
    parser.add_argument("--work", help="an empty or new directory for the clusters and all "
                        "records; is kept")
    parser.add_argument("--out", help="the page; default docs/results/DATE-main-job.md")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    if options.work and os.path.isdir(options.work) and os.listdir(options.work):
        parser.error(f"{options.work} is not empty: old clusters would be measured")
    options.languages = [name for name in options.languages.split(",") if name]
    for language in options.languages:
        if not kills.is_built(language):
            parser.error(f"the {language} client is not built: run tests/compat/run.sh first, or "
                         f"say --languages ''")
    return options


def main():
    options = parse_arguments()
    work = options.work or tempfile.mkdtemp(prefix="totora-report-")
    os.makedirs(work, exist_ok=True)
    today = datetime.date.today().isoformat()
    lines = [f"# The main job, {today}", "", f"Machine: {machine(work)}.", "",
             f"Commit: {commit()}. Three replicas, the nameserver and every client on this one "
             "machine; an acknowledgement is a majority synced to disk. "
             f"Seed {options.seed}.", ""]
    raw = {}
    out = options.out or os.path.join(ROOT, "docs", "results", f"{today}-main-job.md")
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)

    def write():
        """After every part: the next one may fail."""
        with open(os.path.join(work, "raw.json"), "w", encoding="utf-8") as file:
            json.dump(raw, file, indent=1)
        with open(out, "w", encoding="utf-8") as file:
            file.write("\n".join(lines).rstrip() + "\n")

    if "load" in options.parts:
        print("report: load", flush=True)
        before = stolen.read()
        raw["load"] = load.run(options, work)
        lines += ["## Load, memory, start", "", stolen.describe_since(before), ""]
        lines += load.describe(raw["load"]) + [""]
        write()
    if "kills" in options.parts:
        lines += ["## The leader is killed with -9", ""]
        for mode in options.modes.split(","):
            print(f"report: kills, {mode}", flush=True)
            # Gigabytes that the parts before left to be written back would
            # delay the syncs of this one.
            os.sync()
            before = stolen.read()
            raw[mode] = kills.run(options, mode, options.seed, work)
            lines += kills.describe(mode, raw[mode]) + ["", stolen.describe_since(before), ""]
            write()
    print(f"report: {out}")
    if options.work is None:
        shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
