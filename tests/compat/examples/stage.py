"""What the examples run on: a cluster of three brokers, and Java programs as
processes whose output is looked at while they run."""

import contextlib
import json
import os
import re
import subprocess
import time


class Failure(Exception):
    """An example did not do what it promises; the text says what."""


class Cluster:
    """Three brokers behind a nameserver at 9876, where the examples look for it."""

    def __init__(self, totora, folder):
        self._totora = totora
        self._folder = folder
        self.namesrv = None

    def _ask(self, *args):
        done = subprocess.run([self._totora, *args, "--dir", self._folder, "-o", "json"],
                              capture_output=True, text=True, timeout=90, check=False)
        if done.returncode != 0:
            raise Failure(f"totora {' '.join(args)}: {(done.stderr or done.stdout).strip()}")
        return json.loads(done.stdout or "{}")

    def start(self):
        answer = self._ask("local", "start", "--brokers", "3", "--namesrv-port", "9876",
                           "--set", "topic.auto-create=true")
        self.namesrv = answer["namesrv"]

    def stop(self):
        self._ask("local", "stop")

    def create_topic(self, topic, queues):
        self._ask("topic", "create", topic, "--queues", str(queues))

    def ends(self, topic):
        """The end of every queue of `topic`; none if it does not exist."""
        try:
            queues = self._ask("topic", "info", topic)["queues"]
        except Failure:
            return {}
        return {q["queue_id"]: q.get("end_offset", 0) for q in queues}

    def stored(self, topic):
        return sum(self.ends(topic).values())

    def progress(self, group, topic):
        """Sum of the offsets that the consumer group has stored for `topic`."""
        try:
            queues = self._ask("consumer-group", "info", group, "--topic", topic)["queues"]
        except (Failure, KeyError):
            return 0
        return sum(q.get("next_offset", 0) for q in queues)


class Program:
    """One example as a process of its own."""

    def __init__(self, stage, name, args=()):
        self.name = name
        self._path = os.path.join(stage.folder, f"{stage.count:02}-{name}.out")
        # Two that broadcast on one host have one client id and with it one file of offsets:
        # whoever is slow at its start would begin where the other has got to.
        offsets = f"-Drocketmq.client.localOffsetStoreDir={stage.folder}/offsets-{stage.count:02}"
        stage.count += 1
        self._output = open(self._path, "wb")
        self._process = subprocess.Popen(
            [stage.java[0], offsets, *stage.java[1:], f"org.apache.rocketmq.example.{name}", *args], stdout=self._output,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=stage.folder,
            env={**os.environ, "NAMESRV_ADDR": stage.cluster.namesrv})

    def output(self):
        with open(self._path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def find(self, pattern):
        return re.findall(pattern, self.output())

    def exceptions(self):
        """The first lines of the stack traces that it printed."""
        return [line for line in self.output().splitlines()
                if re.match(r"(Exception in thread|[\w.$]+(Exception|Error)\b)", line)]

    def ended(self):
        return self._process.poll() is not None

    def wait(self, what, done, seconds):
        """Waits until `done()`; an end of the program ends the wait too."""
        deadline = time.monotonic() + seconds
        while not done():
            if self.ended():
                if done():
                    break
                raise Failure(f"{self.name} ended, status {self._process.returncode}, without "
                              f"{what}: {self._tail()}")
            if time.monotonic() > deadline:
                raise Failure(f"{self.name}: {what}: not within {seconds} s: {self._tail()}")
            time.sleep(0.1)

    def wait_end(self, seconds):
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {seconds} s: {self._tail()}") from None
        if status != 0:
            raise Failure(f"{self.name} ended with status {status}: {self._tail()}")

    def _tail(self):
        lines = self.exceptions() or self.output().strip().splitlines() or ["no output"]
        return lines[-1][-300:]

    def stop(self):
        """Most examples have no end of their own: the person who runs them presses ^C.
        SIGTERM does the same to a JVM, and also where shells start us in the background,
        which is where SIGINT is ignored."""
        if not self.ended():
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._output.close()


class Stage:
    """Cluster, class path and folder of one run of the examples."""

    def __init__(self, cluster, lib, folder):
        self.cluster = cluster
        self.folder = folder
        self.count = 0
        jars = sorted(os.path.join(lib, name) for name in os.listdir(lib))
        self.java = [
            "java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m",
            f"-Duser.home={folder}", "-Drocketmq.log.level=WARN", "-cp", ":".join(jars)]

    @contextlib.contextmanager
    def program(self, name, *args):
        program = Program(self, name, args)
        try:
            yield program
        finally:
            program.stop()
