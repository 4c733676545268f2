"""Runs RocketMQ's example programs against a cluster of three brokers and
prints a table. See README.md."""

import argparse
import os
import shutil
import signal
import sys
import time

import examples
from stage import Cluster, Failure, Stage

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--totora", default=os.path.join(ROOT, "build/release/bin/totora"))
    parser.add_argument("--lib", default=os.path.join(HERE, "target/lib"))
    parser.add_argument("--work", default=os.path.join(ROOT, "build/compat/examples"))
    parser.add_argument("--only", default="", help="names or parts of them, separated by commas")
    parser.add_argument("--list", action="store_true", help="print the names, run nothing")
    return parser.parse_args()


def chosen(only):
    parts = [part for part in only.split(",") if part]
    return [(name, run) for name, run in examples.EXAMPLES
            if not parts or any(part in name for part in parts)]


def perform(stage, name, run):
    """Returns whether the example kept its promise."""
    began = time.monotonic()
    try:
        verdict, note = "ok", run(stage)
    except Failure as failure:
        verdict, note = "FAILED", str(failure)
    print(f"{verdict:7}{name:48}{time.monotonic() - began:6.1f} s  {note}", flush=True)
    return verdict == "ok"


def main():
    options = arguments()
    if options.list:
        print("\n".join(name for name, _ in chosen(options.only)))
        return 0
    # So that `finally` below runs when somebody gives up on us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    shutil.rmtree(options.work, ignore_errors=True)
    os.makedirs(os.path.join(options.work, "out"))
    cluster = Cluster(options.totora, os.path.join(options.work, "cluster"))
    cluster.start()
    try:
        stage = Stage(cluster, options.lib, os.path.join(options.work, "out"))
        results = [perform(stage, *example) for example in chosen(options.only)]
    finally:
        cluster.stop()
    for name, reason in examples.SKIPPED:
        print(f"skipped {name:48}          {reason}")
    print(f"{results.count(True)} passed, {results.count(False)} failed, "
          f"{len(examples.SKIPPED)} skipped")
    return 1 if not all(results) else 0


if __name__ == "__main__":
    sys.exit(main())
