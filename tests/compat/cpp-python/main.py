"""Drives the classic C++ client, unmodified.
  list                                the names of the scenarios
  scenarios --namesrv A --prefix P    runs them; each has its topic P-NAME,
                                      which must exist, with QUEUES queues
  scenario NAME --namesrv A --prefix P
  send, receive                       what the harness runs while it kills
                                      brokers; contract: ../README.md
"""

import argparse
import concurrent.futures
import os
import subprocess
import sys
import threading
import time

import classic
from classic import LATER, SUCCESS, UNIQUE_KEY, event, make_message

QUEUES = 8
PATIENCE_S = 60
SCENARIO_S = 150


class Failed(Exception):
    pass


def check(fine, text):
    if not fine:
        raise Failed(text)


class Got:
    """What consumers received, by body."""

    def __init__(self):
        self._lock = threading.Lock()
        self.times, self.last, self.when, self.by = {}, {}, {}, {}

    def add(self, who, message):
        body = message.body
        with self._lock:
            self.times[body] = self.times.get(body, 0) + 1
            # The library's message lives no longer than the callback.
            self.last[body] = {"tags": message.tags, "keys": message.keys, "own": message["own"],
                               "reconsume": message.reconsume_times}
            self.when[body] = time.time()
            self.by[who] = self.by.get(who, 0) + 1
            return self.times[body]

    def wait(self, bodies):
        deadline = time.time() + PATIENCE_S
        while len(self.times) < len(bodies) and time.time() < deadline:
            time.sleep(0.02)
        time.sleep(0.5)  # What comes too often comes soon.
        with self._lock:
            missing = [body for body in bodies if body not in self.times]
            check(not missing, f"{len(missing)} of {len(bodies)} did not come")
            check(len(self.times) == len(bodies),
                  f"{len(self.times)} came, {len(bodies)} were expected")

    def once(self):
        often = {body[:40]: times for body, times in self.times.items() if times != 1}
        check(not often, f"came more than once: {often}")


class Stage:
    def __init__(self, options):
        self.namesrv = options.namesrv
        self.topic = f"{options.prefix}-{options.name}"
        self.group = f"g-{options.prefix}-{options.name}"
        self._instances = 0
        self._open = []  # A client that nobody holds is shut down by its wrapper.

    def producer(self):
        self._open.append(classic.start_producer(self.namesrv, "p-" + self.group))
        return self._open[-1]

    def consumer(self, got, handle=None, expression="*", queues=QUEUES):
        """Returns once it has its queues: a new group of this client begins at
        the end of each, and nothing can tell it otherwise."""
        self._instances += 1
        who = f"c{os.getpid()}-{self._instances}"
        held = {}
        classic.QueueWatch(self.topic, lambda now: held.update(now=now))

        def on_message(message):
            times = got.add(who, message)
            return handle(message, times) if handle else SUCCESS

        consumer = classic.start_consumer(self.namesrv, self.group, self.topic, on_message,
                                          expression, who)
        self._open.append(consumer)
        deadline = time.time() + PATIENCE_S
        while len(held.get("now", ())) < queues:
            check(time.time() < deadline, f"has the queues {held.get('now')}")
            time.sleep(0.05)
        return consumer

    def send(self, producer, bodies, tag=None):
        for body in bodies:
            message = make_message(self.topic, body, tag, "key-" + body[:8],
                                   own="property of " + body[:8])
            result = producer.send_sync(message)
            check(result.status == 0 and len(result.msg_id) == 32, f"sent: {result}")


def numbered(prefix, count):
    return [f"{prefix}-{n}" for n in range(count)]


def raw(bodies):
    return [body.encode() for body in bodies]


def content(stage):
    got, producer = Got(), stage.producer()
    stage.consumer(got)
    bodies = numbered("body", 200)
    began = time.time()
    stage.send(producer, bodies, "red")
    took = time.time() - began
    got.wait(raw(bodies))
    got.once()
    last = got.last[b"body-7"]
    check((last["tags"], last["keys"], last["own"]) ==
          (b"red", b"key-body-7", b"property of body-7"), f"properties: {last}")
    return f"{len(bodies)} sends, {took / len(bodies) * 1000:.2f} ms each"


def large(stage):
    """Bodies that the client packs."""
    got, producer = Got(), stage.producer()
    stage.consumer(got)
    bodies = ["a" * 5000, "body " * 20_000, "small"]  # At most 128 KiB here.
    stage.send(producer, bodies)
    got.wait(raw(bodies))
    got.once()
    return ""


def tags(stage):
    got, producer = Got(), stage.producer()
    stage.consumer(got, expression="a || b")
    stage.send(producer, numbered("a", 50), "a")
    stage.send(producer, numbered("c", 50), "c")
    stage.send(producer, numbered("b", 50), "b")
    got.wait(raw(numbered("a", 50) + numbered("b", 50)))
    got.once()
    return ""


def one_way(stage):
    got, producer = Got(), stage.producer()
    stage.consumer(got)
    bodies = numbered("oneway", 200)
    for body in bodies:
        producer.send_oneway(make_message(stage.topic, body))
    got.wait(raw(bodies))
    got.once()
    return ""


def ordered(stage):
    """The program chooses the queue; each queue keeps its order."""
    got, producer = Got(), stage.producer()
    places = {}
    stage.consumer(got, lambda m, _: places.setdefault(m.body, (m.queue_id, m.queue_offset)) and SUCCESS)
    bodies = numbered("order", 60)
    for n, body in enumerate(bodies):
        producer.send_orderly(make_message(stage.topic, body), n % 3)
    got.wait(raw(bodies))
    got.once()
    for n, body in enumerate(raw(bodies)):
        check(places[body] == (n % 3, n // 3), f"{body} is at {places[body]}")
    return ""


def offsets(stage):
    """Whoever comes back goes on where the group was."""
    got, producer = Got(), stage.producer()
    before, after = numbered("before", 100), numbered("after", 100)
    consumer = stage.consumer(got)
    stage.send(producer, before)
    got.wait(raw(before))
    consumer.shutdown()
    stage.send(producer, after)
    again = Got()
    stage.consumer(again)
    again.wait(raw(after))
    again.once()
    return ""


def rebalance(stage):
    """Two consumers share the queues; when one leaves the other gets all."""
    got, producer = Got(), stage.producer()
    one = stage.consumer(got)
    # The watch sees the log of both, so the second is not waited for by it.
    stage.consumer(got, queues=0)
    time.sleep(13)  # This client looks every 10 s.
    shared, rest = numbered("shared", 100), numbered("rest", 100)
    stage.send(producer, shared)
    got.wait(raw(shared))
    check(len(got.by) == 2, f"{len(got.by)} of two consumers got messages")
    one.shutdown()
    stage.send(producer, rest)
    got.wait(raw(shared + rest))
    return ""


def delay(stage):
    got, producer = Got(), stage.producer()
    stage.consumer(got)
    message = make_message(stage.topic, "five seconds")
    message.set_delay_time_level(2)
    sent = time.time()
    producer.send_sync(message)
    got.wait([b"five seconds"])
    took = got.when[b"five seconds"] - sent
    check(5 <= took < 8, f"level 2 came after {took:.1f} s")
    return f"level 2 after {took:.1f} s"


def retry(stage):
    """A message that failed comes again after ten seconds, with one reconsume
    time."""
    got, producer = Got(), stage.producer()
    first = []

    def handle(_, times):
        if times > 1:
            return SUCCESS
        first.append(time.time())
        return LATER

    stage.consumer(got, handle)
    stage.send(producer, ["fails once"])
    deadline = time.time() + PATIENCE_S
    while got.times.get(b"fails once", 0) < 2 and time.time() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    check(got.times.get(b"fails once") == 2, f"it came {got.times.get(b'fails once')} times")
    took, times = got.when[b"fails once"] - first[0], got.last[b"fails once"]["reconsume"]
    check(times == 1 and took >= 9, f"again after {took:.1f} s with {times} reconsume times")
    return f"again after {took:.1f} s"


SCENARIOS = {"retry": retry, "rebalance": rebalance, "delay": delay, "offsets": offsets,
             "content": content, "large": large, "tags": tags, "oneway": one_way,
             "ordered": ordered}


def run_scenario(options):
    began = time.time()
    try:
        verdict, note = "ok", SCENARIOS[options.name](Stage(options))
    except Exception as failure:  # Whatever it is, the scenario has failed.
        verdict, note = "FAILED", f"{type(failure).__name__}: {failure}"
    print(f"{verdict:<6} {options.name:<12} {time.time() - began:.1f}s {note}", flush=True)
    return verdict == "ok"


def run_scenarios(options):
    """A process for each: the library shares one client among all of a process."""
    def run(name):
        command = [sys.executable, __file__, "scenario", name, "--namesrv", options.namesrv,
                   "--prefix", options.prefix]
        return subprocess.run(command, timeout=SCENARIO_S, check=False).returncode == 0

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        return all(list(pool.map(run, SCENARIOS)))


def stop_requested():
    """An event that is set once the harness closes standard input."""
    stop = threading.Event()

    def wait():
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    return stop


def send(options):
    producer = classic.start_producer(options.namesrv, "pg-" + options.topic)
    stop, ended = stop_requested(), threading.Event()
    resending = threading.Thread(target=resend, args=(options, producer, ended))
    if options.resend_every_ms:
        resending.start()
    event("ready")
    index = acked = 0
    while acked < options.until_acked and not stop.is_set():
        body = f"m-{index}-{options.seed}"
        try:
            result = producer.send_sync(make_message(options.topic, body))
            acked += 1
            event("sent", index=index, id=result.msg_id, body=body)
        except Exception as failure:
            event("send_failed", index=index, error=str(failure))
        index += 1
        stop.wait(options.interval_ms / 1000)
    ended.set()
    if options.resend_every_ms:
        resending.join()
    producer.shutdown()
    return True


def resend(options, producer, ended):
    message = make_message(options.topic, "again-" + options.seed)
    n = 0
    while not ended.is_set():
        began = time.monotonic()
        try:
            result = producer.send_sync(message)
            event("resent", n=n, id=result.msg_id, offset_id=str(result.offset),
                  took_ms=int((time.monotonic() - began) * 1000))
        except Exception as failure:
            event("resend_failed", n=n, error=str(failure))
        n += 1
        ended.wait(options.resend_every_ms / 1000)


def receive(options):
    state = {"ready": False}

    def changed(queues):
        event("queues", count=len(queues))
        if not state["ready"]:
            state["ready"] = True
            event("ready")

    def on_message(message):
        event("received", id=(message[UNIQUE_KEY] or b"").decode(), body=message.body.decode(),
              reconsume=message.reconsume_times, queue=message.queue_id,
              offset=message.queue_offset)
        return SUCCESS

    stop = stop_requested()
    classic.QueueWatch(options.topic, changed)
    consumer = classic.start_consumer(options.namesrv, options.group, options.topic, on_message)
    stop.wait()
    consumer.shutdown()
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["list", "scenarios", "scenario", "send", "receive"])
    parser.add_argument("name", nargs="?")
    for flag in ("namesrv", "prefix", "topic", "group", "seed"):
        parser.add_argument("--" + flag, default="")
    parser.add_argument("--until-acked", type=int, default=1 << 30)
    parser.add_argument("--interval-ms", type=int, default=0)
    parser.add_argument("--resend-every-ms", type=int, default=0)
    options = parser.parse_args()
    if options.command == "list":
        print("\n".join(SCENARIOS))
        return 0
    if options.command in ("send", "receive"):
        {"send": send, "receive": receive}[options.command](options)
        event("done")
        return 0
    return 0 if {"scenarios": run_scenarios, "scenario": run_scenario}[options.command](options) else 1


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # The library's threads and destructors may not be raced with.
