"""Runs the classic clients' own scenarios, the kills and RocketMQ's examples,
prints a table. With TOTORA_TEST_FULL in the environment the longer form is what
happens if nothing else is asked for."""

import argparse
import concurrent.futures
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import classic_clients
import classic_judge
import classic_kill
from classic_clients import CLIENTS
from classic_table import Table
from client import Failure
from cluster import Cluster

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
COMPAT = os.path.join(ROOT, "tests", "compat")
SCENARIOS_S = 420
EXAMPLES_S = 1200
PARTS = ("scenarios", "kill-group", "kill-direct", "examples")
FULL = bool(os.environ.get("TOTORA_TEST_FULL"))
KILLS = 3 if FULL else 1


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


def kill(clients, cluster, mode, options, folder, table):
    for number in range(1, options.kills + 1):
        seed = f"{options.seed}-{number}"
        results = classic_kill.run(clients, cluster, mode, number, folder, seed)
        for name, row in results.items():
            table.add(name, f"kill-{mode} {number}", *row)


def examples(options, folder, table):
    """RocketMQ's example programs, which start a cluster of their own."""
    command = [os.path.join(COMPAT, "examples", "run.sh"),
               "--totora", os.path.abspath(options.totora)]
    names = classic_clients.listed([*command, "--list"])
    path = os.path.join(folder, "examples")
    with open(path + ".out", "w+", encoding="utf-8") as out, \
         open(path + ".stderr", "wb") as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors)
        try:
            process.wait(EXAMPLES_S)
        except subprocess.TimeoutExpired:
            print(f"compat: the examples did not end within {EXAMPLES_S} s", flush=True)
        finally:
            process.terminate()  # It stops its cluster then.
            process.wait()
        out.seek(0)
        results = classic_judge.scenarios(out.read().splitlines(), names)
    for name, (ok, note) in results.items():
        table.add("examples", name, [] if ok else [note], note if ok else "")
    if process.returncode != 0 and all(ok for ok, _ in results.values()):
        table.add("examples", "run", [f"status {process.returncode}, see {path}.stderr"])


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
    parser.add_argument("--parts", default=",".join(PARTS if FULL else PARTS[:2]),
                        help=",".join(PARTS))
    parser.add_argument("--kills", type=int, default=KILLS, help="how often each kill happens")
    parser.add_argument("--markdown", metavar="FILE", help="write the table of clients there, too")
    parser.add_argument("--seed", type=int, default=None, help="the run's random seed")
    options = parser.parse_args()
    parts = options.parts.split(",")
    if set(parts) - set(PARTS):
        parser.error(f"parts are {', '.join(PARTS)}")
    clients = [CLIENTS[name] for name in options.clients.split(",")]
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    print(f"compat: classic clients, seed {options.seed}", flush=True)
    work = os.path.join(os.path.abspath(options.work), "classic")
    os.makedirs(work, exist_ok=True)
    # So that what `finally` stops is stopped when CI gives up on us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    killed = [client for client in clients if hasattr(client, "program")]
    table = Table()
    began = time.monotonic()

    def group(cluster):
        if "scenarios" in parts:
            all_scenarios([c for c in clients if hasattr(c, "own_scenarios")], cluster, work, table)
        if killed and "kill-group" in parts:
            kill(killed, cluster, "group", options, work, table)

    if {"scenarios", "kill-group"} & set(parts):
        with_cluster(options, "group", True, work, group, table)
    if killed and "kill-direct" in parts:
        with_cluster(options, "direct", False, work,
                     lambda c: kill(killed, c, "direct", options, work, table), table)
    if "examples" in parts:
        try:
            examples(options, work, table)
        except (Failure, OSError) as failure:
            table.add("examples", "run", [str(failure)])
    print(f"compat: classic clients took {time.monotonic() - began:.0f} s, records are in {work}")
    table.print()
    if options.markdown:
        known = {c.name: (c.about, classic_kill.aims_s(c, "group"), classic_kill.aims_s(c, "direct"))
                 for c in killed}
        with open(options.markdown, "w", encoding="utf-8") as file:
            file.write(table.markdown(known))
    return 0 if table.passed() else 1


if __name__ == "__main__":
    sys.exit(main())
