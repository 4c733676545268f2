"""The leader is killed -9 under producers and consumers of classic clients.

All clients meet one and the same kill, each with a topic and a consumer group
of its own: one producer, and two consumers that share the queues, so that any
doubt about who is there would move one.
"""

import dataclasses
import os
import shutil
import time

import classic_judge
from client import Client, Failure

QUEUES = 8
START_S = 90          # Several JVMs beside three brokers on two cores.
SETTLE_S = 60
QUIET_S = 2
SENDS_BEFORE = 40
SENDS_AFTER = 60
# At direct addresses clients learn of a new leader at their next look at the
# routes (30 s); a parked pull of Go first waits its own time out.
RESUME_S = 120
DIRECT_AIMS_S = {"producer": 35, "consumer": 35}
DELIVERY_S = 60
INTERVAL_MS = 50
RESEND_EVERY_MS = 2000


@dataclasses.dataclass
class Figures:
    """What one client showed at one kill."""

    standstill_s: dict  # Of "producer" and "consumer".
    resent: int         # How often one object was sent on purpose, and stored.
    stored: int


def aims_s(client, mode):
    return client.aims_s if mode == "group" else DIRECT_AIMS_S


class Stage:
    """One client's part in the kill."""

    def __init__(self, client, cluster, mode, number, folder, seed):
        self.client = client
        # Dots are no part of a topic's name.
        self.topic = f"kill-{mode}-{number}-{client.name}".replace(".", "_")
        self.seed = f"{seed}-{client.name}"
        self.settled_ms = None
        self.complaints = []
        self._aims_s = aims_s(client, mode)
        self._cluster = cluster
        self._folder = os.path.join(folder, self.topic)
        shutil.rmtree(self._folder, ignore_errors=True)
        os.makedirs(self._folder)
        self._processes = []
        self._receivers = []
        self._sender = None

    def failed(self):
        return bool(self.complaints)

    def attempt(self, step, *args):
        """A client that fails is out; the others go on."""
        if self.failed():
            return
        try:
            step(*args)
        except (Failure, OSError) as failure:
            self.complaints.append(str(failure))

    def _start(self, verb, name, **flags):
        flags = {"namesrv": self._cluster.namesrv, "topic": self.topic, **flags}
        process = Client(name, self.client.program(verb, flags), self._folder,
                         {"HOME": self._folder})
        self._processes.append(process)
        return process

    def start_consumers(self):
        self._cluster.create_topic(self.topic)
        for number in (1, 2):
            self._receivers.append(
                self._start("receive", f"receive-{number}", group=f"g-{self.topic}"))

    def wait_settled(self):
        """Until the two share the queues and nothing has changed for a while."""
        for receiver in self._receivers:
            receiver.wait_event("ready", START_S)
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            counts = classic_judge.held(self._events())
            # Receivers that do not tell their queues are given a fixed time.
            if None in counts and not self.client.tells_queues:
                time.sleep(self.client.settle_s)
                return
            last_ms = max((e["ms"] for events in self._events() for e in events
                           if e["event"] == "queues"), default=0)
            if counts == [QUEUES // 2] * 2 and time.time() * 1000 - last_ms > QUIET_S * 1000:
                return
            time.sleep(0.1)
        raise Failure(f"after {SETTLE_S} s the consumers have {counts} of {QUEUES} queues")

    def start_producer(self):
        self.settled_ms = time.time() * 1000
        self._sender = self._start("send", "send", until_acked=1_000_000, interval_ms=INTERVAL_MS,
                                   seed=self.seed, resend_every_ms=RESEND_EVERY_MS)

    def wait_sends(self, count, since_ms, seconds):
        self._sender.wait(
            f"for {count} acknowledged sends",
            lambda events: sum(e["event"] == "sent" and e["ms"] >= since_ms
                               for e in events) >= count, seconds)

    def wait_caught_up(self, since_ms, seconds):
        """Until each consumer has something that was sent since, and all that
        was acknowledged so far is there."""
        deadline = time.monotonic() + seconds
        acknowledged = {e["id"] for e in self._sender.events("sent")}
        while True:
            # Not only of those so far: a Java producer that had no answer about its
            # topic fills half of the queues for 30 s, as if it were a new topic.
            late = {e["id"] for e in self._sender.events("sent") if e["ms"] >= since_ms}
            got = [{e["id"] for e in receiver.events("received")} for receiver in self._receivers]
            missing = acknowledged - set().union(*got)
            if not missing and all(late & ids for ids in got):
                return
            if time.monotonic() > deadline:
                idle = [n for n, ids in enumerate(got, 1) if not late & ids]
                raise Failure(f"{seconds} s after the leader was killed {len(missing)} of "
                              f"{len(acknowledged)} messages have not come"
                              + (f", none to consumer {idle} since" if idle else ""))
            time.sleep(0.1)

    def end_producer(self):
        self._sender.stop(START_S)
        self.wait_caught_up(0, DELIVERY_S)
        time.sleep(1)  # The last of the resent may be on its way.

    def judge(self, killed_ms):
        sends, receives = self._sender.events(), self._events()
        for receiver in self._receivers:
            self.attempt(receiver.stop)
        stored = self._cluster.stored_ids(self.topic)
        self.complaints += classic_judge.survived_kill(
            self.seed, sends, receives, stored, killed_ms, self.settled_ms, QUEUES)
        figures = self._figures(sends, receives, stored, killed_ms)
        return self._note(figures, sends, receives), figures

    @staticmethod
    def _figures(sends, receives, stored, killed_ms):
        standstill = classic_judge.standstill_ms
        return Figures({
            "producer": standstill(sends, "sent", killed_ms) / 1000,
            "consumer": max(standstill(e, "received", killed_ms) for e in receives) / 1000,
        }, *classic_judge.resends(sends, stored))

    def _note(self, figures, sends, receives):
        text = ", ".join(
            f"{what} {s:.1f} s" + (" (aim missed)" if s > self._aims_s[what] else "")
            for what, s in figures.standstill_s.items())
        failed = sum(e["event"] in ("send_failed", "resend_failed") for e in sends)
        twice = classic_judge.received_more_than_once(receives)
        renamed = classic_judge.stored_under_new_ids(sends, receives)
        late_s = classic_judge.latest_ms(sends, receives) / 1000
        return (f"{text}, latest message {late_s:.1f} s, "
                f"{sum(e['event'] == 'sent' for e in sends)} sent, {failed} failed, "
                f"{figures.resent} resent, {figures.stored} of them stored, {twice} received twice"
                + (f", {renamed} stored again under an id that the client made for its retry"
                   if renamed else ""))

    def _events(self):
        return [receiver.events() for receiver in self._receivers]

    def close(self):
        for process in self._processes:
            process.kill()


def run(clients, cluster, mode, number, folder, seed):
    """The `number`th kill of this cluster's leader. Returns
    {client's name: (complaints, note, Figures or None)}."""
    cluster.wait_whole(60)
    stages = [Stage(client, cluster, mode, number, folder, seed) for client in clients]
    try:
        killed_ms = _kill_under(stages, cluster)
        result = {}
        for stage in stages:
            judged = []
            stage.attempt(lambda s=stage, j=judged: j.append(s.judge(killed_ms)))
            note, figures = judged[0] if judged else ("", None)
            result[stage.client.name] = (stage.complaints, note, figures)
        return result
    finally:
        for stage in stages:
            stage.close()


def _kill_under(stages, cluster):
    for stage in stages:
        stage.attempt(stage.start_consumers)
    for stage in stages:
        stage.attempt(stage.wait_settled)
    for stage in stages:
        stage.attempt(stage.start_producer)
    for stage in stages:
        stage.attempt(stage.wait_sends, SENDS_BEFORE, 0, START_S)
    if all(stage.failed() for stage in stages):
        return time.time() * 1000  # The complaints say why nothing was killed.
    killed, killed_ms = cluster.kill_leader()
    cluster.wait_leader_other_than(killed, 30)
    for stage in stages:
        stage.attempt(stage.wait_sends, SENDS_AFTER, killed_ms, RESUME_S)
    for stage in stages:
        stage.attempt(stage.wait_caught_up, killed_ms, RESUME_S)
    # Not earlier: at its own address it would serve again those who still
    # knock there.
    cluster.restart(killed)
    cluster.wait_whole(60)
    for stage in stages:
        stage.attempt(stage.end_producer)
    return killed_ms
