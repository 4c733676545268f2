"""The scenarios, the same for every language. Each returns (complaints, note)."""

import os
import time

import judge
import plan as plans

MESSAGES = 500
INVISIBLE_S = 10
PATIENCE_S = 20
START_S = 60      # A JVM beside three brokers on two cores.
SEND_S = 240
DELIVERY_S = 90
# A redelivery may come late by the broker's expiry rounds: RocketMQ 5.3.3
# needs up to 6.5 s, so a lost acknowledgement would show within this.
WATCH_S = INVISIBLE_S + 8
FAILED_SENDS_MAX = 3


class Stage:
    """What one run of one scenario works with."""

    def __init__(self, language, cluster, topic, folder, seed):
        self.language = language
        self.cluster = cluster
        self.topic = topic
        self.folder = folder
        self.seed = seed
        self._clients = []

    def consumer(self, kind, **flags):
        client = self._start(f"receive-{kind}", group=f"{self.topic}-{kind}", **flags)
        client.wait_event("ready", START_S)
        return client

    def producer(self, plan, **flags):
        path = os.path.join(self.folder, "plan.tsv")
        plans.write(plan, path)
        return self._start("send", plan=path, seed=self.seed, **flags)

    def _start(self, command, **flags):
        flags = {"endpoint": self.cluster.endpoint, "topic": self.topic, **flags}
        args = [command]
        for name, value in flags.items():
            args += ["--" + name.replace("_", "-"), str(value)]
        client = self.language.start(command, args, self.folder)
        self._clients.append(client)
        return client

    def close(self):
        for client in self._clients:
            client.kill()


def _all_once(stage, kind):
    plan = plans.make(MESSAGES, stage.seed)
    consumer = stage.consumer(kind, **({"invisible_s": INVISIBLE_S} if kind == "simple" else {}))
    producer = stage.producer(plan)
    producer.wait_event("done", SEND_S)
    producer.finish(START_S)
    sends = producer.events()
    consumer.wait_received(judge.sent_by_id(sends), DELIVERY_S)
    time.sleep(WATCH_S)  # Nothing may happen: only time can show that.
    consumer.stop()
    complaints = judge.exactly_once(plan, stage.seed, stage.topic, sends, consumer.events(),
                                    acks_expected=kind == "simple")
    mib = sum(message.size for message in plan) / (1 << 20)
    return complaints, f"{len(judge.sent_by_id(sends))} messages, {mib:.0f} MiB"


def simple_consumer(stage):
    """SimpleConsumer: all there, once, unchanged"""
    return _all_once(stage, "simple")


def push_consumer(stage):
    """PushConsumer: all there, once, unchanged"""
    return _all_once(stage, "push")


def redelivery(stage):
    """what is not acknowledged comes back"""
    plan = plans.make(1, stage.seed, size=100)
    consumer = stage.consumer("simple", invisible_s=INVISIBLE_S, ack_from_attempt=2)
    producer = stage.producer(plan)
    producer.wait_event("done", SEND_S)
    producer.finish(START_S)
    consumer.wait_event("received", DELIVERY_S)
    consumer.wait("for the second attempt",
                  lambda events: sum(e["event"] == "received" for e in events) > 1, PATIENCE_S)
    time.sleep(WATCH_S)  # A third attempt would be wrong.
    consumer.stop()
    receives = consumer.events()
    complaints = judge.redelivered(plan, stage.seed, stage.topic, producer.events(), receives,
                                   INVISIBLE_S, PATIENCE_S)
    times = [event["ms"] for event in receives if event["event"] == "received"]
    return complaints, f"back after {(times[1] - times[0]) / 1000:.1f} s"


def leader_killed(stage):
    """sends go on while the leader is killed -9"""
    plan = plans.make(MESSAGES + FAILED_SENDS_MAX + 1, stage.seed, size=1024)
    stage.cluster.wait_whole(60)
    consumer = stage.consumer("simple", invisible_s=INVISIBLE_S)
    producer = stage.producer(plan, until_acked=MESSAGES, interval_ms=20)

    def acknowledged(count):
        return lambda events: sum(e["event"] == "sent" for e in events) >= count

    producer.wait("for sends before the kill", acknowledged(MESSAGES // 4), SEND_S)
    killed, killed_ms = stage.cluster.kill_leader()
    leader = stage.cluster.wait_leader_other_than(killed, 30)
    producer.wait("for sends after the kill", acknowledged(MESSAGES * 3 // 4), SEND_S)
    stage.cluster.restart(killed)
    producer.wait_event("done", SEND_S)
    producer.finish(START_S)
    sends = producer.events()
    consumer.wait_received(judge.sent_by_id(sends), DELIVERY_S)
    stage.cluster.wait_whole(60)
    consumer.stop()
    receives = consumer.events()
    complaints = judge.survived_kill(
        plan, stage.seed, stage.topic, sends, receives, stage.cluster.stored_ids(stage.topic),
        killed_ms, MESSAGES, FAILED_SENDS_MAX)
    failed = sum(event["event"] == "send_failed" for event in sends)
    return complaints, (f"standstill {judge.standstill_ms(sends, killed_ms)} ms, "
                        f"leader {killed} -> {leader}, {failed} sends failed, "
                        f"{judge.deliveries_more_than_once(receives)} delivered twice")


ALL = {"A": simple_consumer, "B": push_consumer, "C": redelivery, "D": leader_killed}
