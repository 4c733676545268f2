"""The cluster under test, only ever touched through the `totora` command."""

import json
import subprocess
import time
import urllib.error
import urllib.request

from client import Failure


class Cluster:
    """Three brokers and a nameserver as real processes on this machine."""

    def __init__(self, totora, folder, group_address=True):
        self._totora = totora
        self._folder = folder
        self._group_address = group_address
        self.endpoint = None
        self.namesrv = None

    def _run(self, *args, seconds=60):
        command = [self._totora, *args]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds,
                                  check=False)
        except subprocess.TimeoutExpired:
            raise Failure(f"`{' '.join(command)}` did not end within {seconds} s") from None
        if done.returncode != 0:
            raise Failure(f"`{' '.join(command)}` ended with status {done.returncode}: "
                          f"{(done.stderr or done.stdout).strip()[-1500:]}")
        return done.stdout

    def _local(self, verb, *args, seconds=60):
        return self._run("local", verb, *args, "--dir", self._folder, seconds=seconds)

    def start(self):
        own = [] if self._group_address else ["--no-group-address"]
        answer = json.loads(
            self._local("start", "--brokers", "3", *own, "--output", "json", seconds=90))
        self.endpoint = answer["group_address"] or answer["brokers"][0]["public"]
        self.namesrv = answer["namesrv"]

    def stop(self):
        self._local("stop")

    def status(self):
        return json.loads(self._local("status", "--output", "json"))

    def create_topic(self, topic, message_type="normal"):
        self._run("topic", "create", topic, "--type", message_type, "--queues", "8",
                  "--dir", self._folder)

    def create_group(self, group, attempts):
        self._run("consumer-group", "create", group, "--max-attempts", str(attempts),
                  "--dir", self._folder)

    def kill_leader(self):
        """Kills the leading broker with -9. Returns its number and the moment
        just before, in ms since the epoch."""
        at_ms = time.time() * 1000
        self._local("kill", "leader")
        # Asked afterwards: the lead may change between a question and the kill.
        gone = [b["id"] for b in self.status()["brokers"] if b["state"] != "running"]
        if len(gone) != 1:
            raise Failure(f"of the brokers {gone} do not run after the kill of one")
        return gone[0], at_ms

    def restart(self, broker):
        self._local("restart", str(broker))

    def wait_leader_other_than(self, broker, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            leader = self.status().get("leader")
            if leader and leader != broker:
                return leader
            time.sleep(0.1)
        raise Failure(f"no leader other than the killed broker {broker} within {seconds} s")

    def wait_whole(self, seconds):
        """Waits until every broker calls itself ready."""
        deadline = time.monotonic() + seconds
        problem = "no broker"
        while time.monotonic() < deadline:
            status = self.status()
            problem = next(filter(None, map(self._unready, status["brokers"])), None)
            if problem is None and status.get("leader") is not None:
                return
            time.sleep(0.2)
        raise Failure(f"the cluster is not whole after {seconds} s: {problem or 'no leader'}")

    @staticmethod
    def _unready(broker):
        url = f"http://{broker['metrics']}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return None
        except (urllib.error.URLError, OSError) as error:
            return f"broker {broker['id']}: {url}: {error}"

    def stored_ids(self, topic):
        """The message id of every message of `topic` in the log, in order."""
        lines = self._run("log", "scan", "--topic", topic, "--output", "json",
                          "--dir", self._folder, seconds=120).splitlines()
        return [json.loads(line)["message_id"] for line in lines if line.strip()]


class ForeignServer:
    """A server that somebody else started, topics included: no kills, no log."""

    def __init__(self, endpoint):
        self.endpoint = endpoint

    def start(self):
        pass

    def stop(self):
        pass

    def create_topic(self, topic):
        pass

    def wait_whole(self, seconds):
        pass
