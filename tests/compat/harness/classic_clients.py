"""The programs around the classic clients and how each is started.

A client has a name, and may have
  own_scenarios(cluster)   a command that runs them and prints a line for each,
                           and the names that this command must print;
  program(verb, flags)     a command that obeys the contract of `send` and
                           `receive` (README.md): only then it meets the kills.
"""

import os
import subprocess
import time

from client import Failure

COMPAT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Where run.sh installs what is not Debian's.
VENVS = os.path.join(os.path.dirname(os.path.dirname(COMPAT)), "build", "compat")


def _flags(values):
    return [text for name, value in values.items()
            for text in ("--" + name.replace("_", "-"), str(value))]


def listed(command):
    """The names that `command` prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0 or not done.stdout.split():
        raise Failure(f"`{' '.join(command)}`: {done.stderr.strip()[-500:]}")
    return done.stdout.split()


class Go:
    name = "go"
    about = "rocketmq-client-go/v2 v2.1.2"
    # Pending calls of a lost connection wait their own time out, 3 s.
    aims_s = {"producer": 3.5, "consumer": 35}
    tells_queues = True
    _binary = os.path.join(COMPAT, "classic-go", "bin", "classic")

    def own_scenarios(self, cluster):
        command = [self._binary, "-namesrv", cluster.namesrv, "-broker", cluster.endpoint,
                   "-parallel", "6"]
        return command, listed([self._binary, "-list"])

    def program(self, verb, flags):
        return [self._binary, verb, *_flags(flags)]


class _OwnTopics:
    """A program whose scenarios want their topics made: PREFIX-SCENARIO. These
    clients do not make topics by sending to them."""

    tells_queues = True

    def own_scenarios(self, cluster):
        names = listed([*self._command(), "list"])
        prefix = f"{self.name}-{int(time.time())}"
        for name in names:
            cluster.create_topic(f"{prefix}-{name}")
        flags = _flags({"namesrv": cluster.namesrv, "prefix": prefix})
        return [*self._command(), "scenarios", *flags], names

    def program(self, verb, flags):
        return [*self._command(), verb, *_flags(flags)]


class Node(_OwnTopics):
    name = "node"
    about = "ali-ons 3.12.0"
    # A failed pull is tried again after 3 s.
    aims_s = {"producer": 3.5, "consumer": 35}

    def _command(self):
        return ["node", os.path.join(COMPAT, "node", "main.js")]


class Cpp(_OwnTopics):
    name = "cpp"
    about = "librocketmq of PyPI's rocketmq 0.4.4"
    aims_s = {"producer": 3.5, "consumer": 35}

    def _command(self):
        return [os.path.join(VENVS, "cpp-venv", "bin", "python"),
                os.path.join(COMPAT, "cpp-python", "main.py")]


class Java:
    """One program, built with the client of each version."""

    # It fails pending calls, and connects again, as soon as a connection closes.
    aims_s = {"producer": 1, "consumer": 2}
    tells_queues = True

    def __init__(self, version):
        self.name = f"java-{version}"
        self.about = f"rocketmq-client {version}"
        built = os.path.join(COMPAT, "classic-java", "target", version)
        # Memory and compiler threads are bounded: many of these run at once.
        self._command = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
                         f"{built}/classic.jar:{built}/lib/*", "totora.classic.Main"]

    def own_scenarios(self, cluster):
        command = [*self._command, "-namesrv", cluster.namesrv, "-parallel", "6"]
        return command, listed([*self._command, "list"])

    def program(self, verb, flags):
        return [*self._command, verb, *_flags(flags)]


class CrossDialect:
    """One program with the Go clients of both protocols: what one dialect sends
    the other receives."""

    name = "cross"
    _binary = os.path.join(COMPAT, "cross-dialect", "bin", "cross")

    def own_scenarios(self, cluster):
        names = listed([self._binary, "list"])
        prefix = f"{self.name}-{int(time.time())}"
        for name in names:
            cluster.create_topic(f"{prefix}-{name}", "mixed")
            cluster.create_group(f"{prefix}-{name}-group", attempts=2)
        flags = _flags({"namesrv": cluster.namesrv, "endpoint": cluster.endpoint, "prefix": prefix})
        return [self._binary, "scenarios", *flags], names


CLIENTS = {client.name: client
           for client in (Java("4.9.8"), Java("5.3.3"), Go(), Node(), Cpp(), CrossDialect())}
