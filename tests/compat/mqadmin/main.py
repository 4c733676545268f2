"""Compares what mqadmin prints about Totora with what it prints about RocketMQ itself.

Starts both servers, brings them to the same state, runs each command against both, and says which
outputs differ. Then runs every other command of mqadmin's list, and reads the rates under a load."""

import argparse
import concurrent.futures
import json
import os
import shutil
import signal
import sys
import time

import checks
import others
import rates
import report
from normalise import Names
from servers import HERE, Failure, Rocketmq, Running, Tapped, Totora
from stage import Stage, ONLINE
from tap import Taps, describe
from tool import LIMIT_SECONDS, Tool, make_archive

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))


class Run:
    """Both servers, and what was found. Thread safety: main thread, but for the
    pool's threads, which run one command each."""

    def __init__(self, options, work):
        self.options = options
        self.work = work
        if options.attach:
            with open(options.attach, encoding="utf-8") as file:
                self.servers = [Running(about) for about in json.load(file)]
        else:
            self.servers = [Rocketmq(os.path.join(work, "rocketmq")),
                            Totora(os.path.join(options.bin, "totora"), os.path.join(work, "totora"))]
        self.seen = self.servers  # As mqadmin sees them: through taps, if the wire is written down.
        self.taps = []
        self.stages = []
        self.tools = []
        self.names = []
        self.compared = []
        self.other = []
        self.rates = []
        self.pool = concurrent.futures.ThreadPoolExecutor(2)

    def both(self, deed):
        """deed(i) for both servers at the same time; the first failure counts."""
        return [one.result() for one in [self.pool.submit(deed, i) for i in (0, 1)]]

    def start(self):
        self.both(lambda i: self.servers[i].start())
        if self.options.wire:
            self.taps = [Taps(server.namesrv) for server in self.servers]
            self.seen = [Tapped(server, taps) for server, taps in zip(self.servers, self.taps)]
        for server, seen in zip(self.servers, self.seen):
            self.stages.append(Stage(server, self.work))
            self.tools.append(Tool(seen, os.path.join(self.work, "tool-" + server.name)))
        make_archive(self.servers[0], self.work)
        self.refresh_names()

    def refresh_names(self):
        self.names = [Names(pair, stage) for pair, stage in
                      zip(zip(self.servers, self.seen), self.stages)]

    def stop(self):
        for stage in self.stages:
            stage.close()
        for server in self.servers:
            server.stop()
        self.pool.shutdown()

    def run_both(self, argv_of, seconds):
        def run(i):
            outcome = self.tools[i].run(argv_of(i), seconds)
            if outcome.impatient() and others.NOWHERE not in outcome.argv:
                return self.tools[i].run(argv_of(i), seconds)
            return outcome
        return self.both(run)

    def compare(self, check):
        outcomes = self.run_both(lambda i: check.arguments(self.seen[i], self.stages[i]),
                                 self.options.limit)
        sides = [checks.Side(self.seen[i], self.stages[i], self.names[i], outcomes[i])
                 for i in (0, 1)]
        theirs, ours = outcomes
        if theirs.kind not in check.expect:
            # The comparison itself is at fault, or RocketMQ has failed to start well.
            result, lines = "UNSURE", [f"-RocketMQ: {theirs.kind}: {theirs.text}"]
        elif ours.kind != theirs.kind:
            result, lines = "FAILED", [f"-{theirs.kind}: {theirs.text}", f"+{ours.kind}: {ours.text}"]
        else:
            lines = [] if ours.kind == "refused" else check.compare(*sides)
            result = "FAILED" if lines else "ok"
        one = report.Compared(check, result, lines, theirs, ours)
        self.compared.append(one)
        report.print_compared(one)
        self.keep(check.name, theirs, ours)

    def keep(self, name, theirs, ours):
        """Everything printed, for whoever looks into a difference."""
        number = len(self.compared) + len(self.other)
        for server, outcome in zip(self.servers, (theirs, ours)):
            path = os.path.join(self.work, "printed", f"{number:03}-{name}.{server.name}.txt")
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"$ mqadmin {' '.join(outcome.argv)}\n{outcome.out}")
                if outcome.err:
                    file.write(f"--- stderr\n{outcome.err}")
                file.write(f"--- {outcome.kind}, status {outcome.status}, {outcome.seconds:.1f} s\n")
        for server, taps in zip(self.servers, self.taps):
            path = os.path.join(self.work, "printed", f"{number:03}-{name}.{server.name}.wire")
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(describe(exchange) + "\n" for exchange in taps.take())

    def fill(self):
        for check in checks.prepare():
            self.compare(check)
        def fill_one(i):
            try:
                self.stages[i].fill()
            except Failure as failure:
                print(f"mqadmin: the state of {self.servers[i].name} is not whole: {failure}",
                      flush=True)
                return False
            return True
        whole = self.both(fill_one)
        self.refresh_names()
        return whole

    def client_ids(self):
        """The ids of the connected consumer, as RocketMQ's answer names them."""
        found = []
        for tool in self.tools:
            text = tool.run(["consumerConnection", "-g", ONLINE]).out
            ids = [word for word in text.split() if f"@stage-{ONLINE}" in word]
            found.append(ids[0] if ids else "127.0.0.1@nobody")
        return found

    def run_others(self):
        files = os.path.join(self.work, "files")
        os.makedirs(files, exist_ok=True)
        for name, text in others.FILES.items():
            with open(os.path.join(files, name), "w", encoding="utf-8") as file:
                file.write(text)
        clients = self.client_ids()
        listed = self.tools[0].names()
        done = {check.name for check in checks.prepare() + checks.reads(0) + checks.changes(0)}
        arguments = others.arguments(os.path.join(self.work, "exported"))
        for name in listed:
            if name not in arguments and name not in done:
                self.other.append(report.Other(name, listed[name], [], None, None, "nobody runs it"))
        for name, lists in arguments.items():
            for words in lists:
                self.run_other(name, listed.get(name, ""), words, files, clients)

    def run_other(self, name, about, words, files, clients):
        def argv_of(i):
            server = self.seen[i]
            check = checks.Check(name, *words)
            argv = [word.replace("{client}", clients[i]).replace("{namesrv}", server.namesrv)
                    for word in check.arguments(server, self.stages[i])]
            return [os.path.join(files, word[6:-1]) if word.startswith("{file:") else word
                    for word in argv]
        theirs, ours = self.run_both(argv_of, 12 if name in others.ENDLESS else self.options.limit)
        same = others.is_same(*[(self.names[i], outcome) for i, outcome in
                                enumerate((theirs, ours))])
        one = report.Other(name, about, words, theirs, ours, others.differs(name, theirs, ours),
                           same)
        self.other.append(one)
        report.print_other(one)
        self.keep(name, theirs, ours)

    def measure(self):
        sides = list(zip(self.seen, self.stages, self.tools))
        self.rates = rates.measure(sides, self.options.rate, self.options.warm)
        report.print_rates(self.rates)


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default=os.path.join(ROOT, "build", "release", "bin"),
                        help="where totora, totora-broker and totora-namesrv are")
    parser.add_argument("--work", default=os.path.join(ROOT, "build", "mqadmin"))
    parser.add_argument("--parts", default="compare,others,rates")
    parser.add_argument("--attach", help="a file with what servers.py printed: use those servers")
    parser.add_argument("--wire", action="store_true",
                        help="keep every request and answer beside what was printed")
    parser.add_argument("--rate", type=float, default=200, help="messages a second of the load")
    parser.add_argument("--warm", type=float, default=rates.WARM_SECONDS,
                        help="seconds of load before the rates are read")
    parser.add_argument("--limit", type=float, default=LIMIT_SECONDS,
                        help="seconds that a command may take")
    parser.add_argument("--markdown", help="write the tables to this file, too")
    parser.add_argument("--allow-failures", action="store_true",
                        help="status 0 although outputs differ")
    return parser.parse_args()


def main():
    options = parse()
    work = os.path.abspath(options.work)
    shutil.rmtree(os.path.join(work, "printed"), ignore_errors=True)
    os.makedirs(os.path.join(work, "printed"))
    # So that `finally` below runs when CI gives up on us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    run = Run(options, work)
    parts = options.parts.split(",")
    before_ms = int(time.time() * 1000) - 60_000
    complete = False
    try:
        run.start()
        run.fill()
        if "compare" in parts:
            for check in checks.reads(before_ms) + checks.changes(before_ms):
                run.compare(check)
        if "others" in parts:
            run.run_others()
        if "rates" in parts:
            run.measure()
        complete = True
    except (Failure, OSError) as failure:
        print(f"mqadmin: {failure}", flush=True)
    finally:
        run.stop()
    good = report.summary(run, complete)
    if options.markdown:
        report.write_markdown(run, options.markdown)
    return 0 if good or options.allow_failures else 1


if __name__ == "__main__":
    sys.exit(main())
