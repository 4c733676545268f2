"""A client program as a process whose events arrive one JSON object a line."""

import json
import os
import subprocess
import threading
import time


class Failure(Exception):
    """The scenario cannot go on; the text says why."""


class Client:
    """Thread safety: used by one thread; a reader thread of its own appends
    to the events under the condition's lock."""

    def __init__(self, name, command, folder, env):
        self.name = name
        self._errors_path = os.path.join(folder, name + ".stderr")
        self._record = open(os.path.join(folder, name + ".jsonl"), "w", encoding="utf-8")
        self._errors = open(self._errors_path, "wb")
        self._events = []
        self._closed = False
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
            env={**os.environ, **env}, text=True, encoding="utf-8")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self._record.write(line)
            try:
                event = json.loads(line)
            except ValueError:
                continue  # The client library's own chatter; kept in the record.
            if not isinstance(event, dict) or "event" not in event:
                continue
            with self._changed:
                self._events.append(event)
                self._changed.notify_all()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._record.close()

    def events(self, name=None):
        with self._changed:
            return [e for e in self._events if name is None or e["event"] == name]

    def wait(self, reason, done, seconds):
        """Waits until `done(events)`; an end of the program ends the wait too."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not done(self._events):
                left = deadline - time.monotonic()
                if self._closed:
                    raise Failure(f"{self.name} ended while waiting: {reason}{self._tail()}")
                if left <= 0:
                    raise Failure(f"{self.name}: {seconds} s are over while waiting: "
                                  f"{reason}{self._tail()}")
                self._changed.wait(left)

    def wait_event(self, name, seconds):
        self.wait(f"for its event '{name}'",
                  lambda events: any(e["event"] == name for e in events), seconds)

    def wait_received(self, ids, seconds):
        """Waits until every id of `ids` was delivered at least once."""
        def done(events):
            missing = set(ids)
            missing.difference_update(e["id"] for e in events if e["event"] == "received")
            return not missing
        self.wait(f"for {len(ids)} messages", done, seconds)

    def stop(self, seconds=45):
        """Ends a consumer in the polite way. It must end, and with status 0."""
        try:
            self._process.stdin.close()
        except OSError:
            pass  # It is gone already; the status below tells how.
        return self.finish(seconds)

    def finish(self, seconds):
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {seconds} s{self._tail()}") from None
        self._reader.join(5)
        if status != 0:
            raise Failure(f"{self.name} ended with status {status}{self._tail()}")

    def kill(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _tail(self):
        with open(self._errors_path, "rb") as file:
            text = file.read()[-1500:].decode("utf-8", "replace").strip()
        return f"\n  its stderr ends: {text}" if text else ""
