"""Runs the classic clients' own scenarios and the kills, prints a table."""

import argparse
import concurrent.futures
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import classic_judge
import classic_kill
from classic_clients import CLIENTS
from client import Failure
from cluster import Cluster

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
SCENARIOS_S = 420
PARTS = ("scenarios", "kill-group", "kill-direct")


class Table:
    """What was promised and how it went."""

    def __init__(self):
        self.rows = []

    def add(self, client, scenario, complaints, note=""):
        self.rows.append((client, scenario, not complaints, note))
        for complaint in complaints:
            print(f"compat: {client} {scenario}: {complaint}", flush=True)

    def print(self):
        print(f"\n{'client':<12} {'scenario':<14} {'result':<7} note")
        for client, scenario, ok, note in self.rows:
            print(f"{client:<12} {scenario:<14} {'ok' if ok else 'FAILED':<7} {note}")
        passed = sum(row[2] for row in self.rows)
        print(f"\n{passed} passed, {len(self.rows) - passed} failed", flush=True)
        return bool(self.rows) and passed == len(self.rows)


def run_own_scenarios(client, cluster, folder):
    """Returns {scenario: (ok, note)}."""
    command, names = client.own_scenarios(cluster)
    path = os.path.join(folder, f"scenarios-{client.name}")
    home = path + ".home"
    os.makedirs(home, exist_ok=True)
    with open(path + ".out", "w+", encoding="utf-8") as out, \
         open(path + ".stderr", "wb") as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
                                   env={**os.environ, "HOME": home})
        try:
            process.wait(SCENARIOS_S)
        except subprocess.TimeoutExpired:
            print(f"compat: {client.name}: scenarios did not end within {SCENARIOS_S} s", flush=True)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        out.seek(0)
        return classic_judge.scenarios(out.read().splitlines(), names)


def all_scenarios(clients, cluster, folder, table):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = {client.name: pool.submit(run_own_scenarios, client, cluster, folder)
                for client in clients}
    for name, run in runs.items():
        try:
            for scenario, (ok, note) in run.result().items():
                table.add(name, scenario, [] if ok else [note], note if ok else "")
        except (Failure, OSError) as failure:
            table.add(name, "scenarios", [str(failure)])


def kill(clients, cluster, mode, folder, seed, table):
    for name, (complaints, note) in classic_kill.run(clients, cluster, mode, folder, seed).items():
        table.add(name, f"kill-{mode}", complaints, note)


def with_cluster(options, name, group_address, work, body, table):
    folder = os.path.join(work, f"cluster-{name}")
    cluster = Cluster(options.totora, folder, group_address=group_address)
    if os.path.isdir(folder):  # Left behind by a run that was killed.
        try:
            cluster.stop()
        except Failure:
            pass  # It was not running any more.
        shutil.rmtree(folder)
    try:
        cluster.start()
        body(cluster)
    except (Failure, OSError) as failure:
        table.add("cluster", name, [str(failure)])
    finally:
        try:
            cluster.stop()
        except (Failure, OSError) as failure:
            table.add("cluster", name, [f"did not stop: {failure}"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", default=os.path.join(ROOT, "build", "compat"))
    parser.add_argument("--totora", default=os.path.join(ROOT, "build", "release", "bin", "totora"))
    parser.add_argument("--clients", default=",".join(CLIENTS), help=",".join(CLIENTS))
    parser.add_argument("--parts", default=",".join(PARTS), help=",".join(PARTS))
    parser.add_argument("--seed", type=int, default=None, help="the run's random seed")
    options = parser.parse_args()
    parts = options.parts.split(",")
    if set(parts) - set(PARTS):
        parser.error(f"parts are {', '.join(PARTS)}")
    clients = [CLIENTS[name] for name in options.clients.split(",")]
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"compat: classic clients, seed {seed}", flush=True)
    work = os.path.join(os.path.abspath(options.work), "classic")
    os.makedirs(work, exist_ok=True)
    # So that what `finally` stops is stopped when CI gives up on us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    table = Table()
    began = time.monotonic()

    def group(cluster):
        if "scenarios" in parts:
            all_scenarios([c for c in clients if hasattr(c, "own_scenarios")], cluster, work, table)
        if "kill-group" in parts:
            kill(clients, cluster, "group", work, seed, table)

    if {"scenarios", "kill-group"} & set(parts):
        with_cluster(options, "group", True, work, group, table)
    if "kill-direct" in parts:
        with_cluster(options, "direct", False, work,
                     lambda c: kill(clients, c, "direct", work, seed, table), table)
    print(f"compat: classic clients took {time.monotonic() - began:.0f} s, records are in {work}")
    return 0 if table.print() else 1


if __name__ == "__main__":
    sys.exit(main())
