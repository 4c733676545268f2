"""Runs every scenario in every language and prints a table."""

import argparse
import os
import random
import shutil
import signal
import sys
import time

import scenarios
from client import Client, Failure
from cluster import Cluster, ForeignServer

COMPAT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(os.path.dirname(COMPAT))


class Java:
    name = "java"

    def start(self, name, args, folder):
        target = os.path.join(COMPAT, "java", "target")
        classpath = os.path.join(target, "classes") + ":" + os.path.join(target, "lib", "*")
        java = ["java", "-Xmx512m", "-XX:+UseSerialGC", f"-Drocketmq.log.root={folder}",
                "-Dfile.encoding=UTF-8"]
        return Client(f"java-{name}", [*java, "-cp", classpath, "totora.compat.Main", *args],
                      folder, {"LC_ALL": "C.UTF-8"})


class Go:
    name = "go"

    def start(self, name, args, folder):
        return Client(f"go-{name}", [os.path.join(COMPAT, "go", "bin", "compat"), *args], folder,
                      {"rocketmq.client.logRoot": folder})


LANGUAGES = {language.name: language for language in (Java(), Go())}


def run_one(language, letter, cluster, work, seed):
    topic = f"compat-{language.name}-{letter.lower()}"
    folder = os.path.join(work, topic)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    stage = scenarios.Stage(language, cluster, topic, folder, f"{seed}-{topic}")
    began = time.monotonic()
    try:
        cluster.create_topic(topic)
        complaints, note = scenarios.ALL[letter](stage)
    except Failure as failure:
        complaints, note = [str(failure)], ""
    finally:
        stage.close()
    seconds = time.monotonic() - began
    for complaint in complaints:
        print(f"compat: {language.name} {letter}: {complaint}", flush=True)
    if complaints:
        print(f"compat: {language.name} {letter}: records are in {folder}", flush=True)
    return (language.name, letter, not complaints, seconds, note)


def print_table(results):
    print(f"\n{'client':<7} {'scenario':<46} {'result':<7} {'s':>5}  note")
    for name, letter, ok, seconds, note in results:
        about = f"{letter}  {scenarios.ALL[letter].__doc__.splitlines()[0]}"
        print(f"{name:<7} {about:<46} {'ok' if ok else 'FAILED':<7} {seconds:5.0f}  {note}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", default=os.path.join(ROOT, "build", "compat"))
    parser.add_argument("--totora", default=os.path.join(ROOT, "build", "release", "bin", "totora"))
    parser.add_argument("--languages", default=",".join(LANGUAGES), help="java,go")
    parser.add_argument("--scenarios", default="".join(scenarios.ALL), help="ABCD")
    parser.add_argument("--seed", type=int, default=None, help="the run's random seed")
    parser.add_argument("--endpoint", help="test a running server instead, scenarios A to C; its "
                        "topics compat-LANGUAGE-LETTER must exist")
    options = parser.parse_args()

    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"compat: seed {seed}", flush=True)
    work = os.path.abspath(options.work)
    os.makedirs(work, exist_ok=True)
    if options.endpoint:
        cluster = ForeignServer(options.endpoint)
        options.scenarios = options.scenarios.replace("D", "")
    else:
        folder = os.path.join(work, "cluster")
        cluster = Cluster(options.totora, folder)
        if os.path.isdir(folder):  # Left behind by a run that was killed.
            try:
                cluster.stop()
            except Failure:
                pass  # It was not running any more.
            shutil.rmtree(folder)
    # So that `finally` below runs when CI gives up on us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    wanted = [(LANGUAGES[name], letter) for letter in options.scenarios
              for name in options.languages.split(",")]
    results = []
    try:
        cluster.start()
        for language, letter in wanted:
            results.append(run_one(language, letter, cluster, work, seed))
    except (Failure, OSError) as failure:
        print(f"compat: the cluster failed: {failure}", flush=True)
    finally:
        try:
            cluster.stop()
        except (Failure, OSError) as failure:
            print(f"compat: the cluster did not stop: {failure}", flush=True)
    print_table(results)
    passed = sum(result[2] for result in results)
    # What never ran has failed.
    print(f"\n{passed} passed, {len(wanted) - passed} failed", flush=True)
    return 0 if wanted and passed == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
