"""The state that both servers are brought to, and the program that holds it."""

import os
import subprocess
import threading
import time

from servers import HERE, JARS, Failure, java

TOPIC = "orders"
QUEUES = 4
ONLINE = "shipping"   # Connected; has consumed the first half.
OFFLINE = "billing"   # Has consumed the first half and left.
PRODUCER = "shop"
FIRST_HALF = 20
SECOND_HALF = 8


class Sent:
    def __init__(self, words):
        self.number = int(words[0])
        self.queue = int(words[1])
        self.offset = int(words[2])
        self.unique_id = words[3]
        self.offset_id = words[4]


class Stage:
    """The Java program at one server. Thread safety: used by one thread."""

    def __init__(self, server, folder):
        self._log = open(os.path.join(folder, f"stage-{server.name}.log"), "w", encoding="utf-8")
        home = os.path.join(folder, f"stage-{server.name}-home")
        os.makedirs(home, exist_ok=True)
        classpath = os.path.join(HERE, "target", "classes") + ":" + JARS
        self._process = subprocess.Popen(
            [*java(home, "-Xmx256m"), "-cp", classpath, "totora.mqadmin.Stage", server.namesrv],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
            encoding="utf-8")
        self.name = server.name
        self.sent = {}

    def say(self, command, seconds=120):
        """Sends one command and returns the lines of its answer."""
        watchdog = threading.Timer(seconds, self._process.kill)
        watchdog.start()
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
            lines = []
            for line in self._process.stdout:
                self._log.write(line)
                line = line.strip()
                if line == "done":
                    return lines
                if line.startswith("failed "):
                    raise Failure(f"{self.name}: `{command}`: {line[7:]}")
                lines.append(line)
        except BrokenPipeError:
            pass
        finally:
            watchdog.cancel()
        raise Failure(f"{self.name}: the program that holds the state ended at `{command}` or did "
                      f"not answer within {seconds} s")

    def send(self, first, count):
        for line in self.say(f"send {TOPIC} {first} {count}"):
            if line.startswith("sent "):
                one = Sent(line.split()[1:])
                self.sent[one.number] = one

    def message(self, number):
        """A message that was sent; ids of nothing if the state is not whole."""
        return self.sent.get(int(number), Sent([number, "0", "0", "0" * 32, "0" * 32]))

    def fill(self):
        """Messages, a consumer that stays and one that left, both with known progress."""
        self.say(f"producer {PRODUCER}")
        self.send(0, FIRST_HALF)
        self.say(f"consume {OFFLINE} {TOPIC} {FIRST_HALF}")
        self.say(f"leave {OFFLINE}")
        self.say(f"consume {ONLINE} {TOPIC} {FIRST_HALF}")
        self.send(FIRST_HALF, SECOND_HALF)

    def close(self):
        try:
            self._process.stdin.close()
            self._process.wait(30)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._log.close()


def wait_for(reason, seconds, done):
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise Failure(f"{seconds} s are over while waiting: {reason}")
        time.sleep(0.5)
