"""The examples in the order in which they run, and what each promises: by its
own output, and by what the brokers have stored then. Later ones consume what
earlier ones sent, as in RocketMQ's quick start."""

import re
import time

from stage import Failure

RECEIVED = r"UNIQ_KEY=([0-9A-Fa-f]+)"


def expect(what, wanted, got):
    if wanted != got:
        raise Failure(f"{what}: {got}, expected {wanted}")


def produce(stage, name, topic, count, args=(), acknowledged=r"sendStatus=(SEND_OK)", ends=True,
            seconds=60, delay=0):
    """Runs a producer: `count` acknowledgements in its output (unless the
    pattern is None), and so many messages stored. With `delay`, so many
    seconds later."""
    before = stage.cluster.stored(topic)
    with stage.program(name, *args) as program:
        if ends:
            program.wait_end(seconds)
        else:
            program.wait(f"{count} messages stored",
                         lambda: stage.cluster.stored(topic) - before >= count, seconds)
        if acknowledged and ends:
            expect("acknowledged", count, len(program.find(acknowledged)))
        expect("exceptions", [], program.exceptions()[:3])
    deadline = time.monotonic() + delay + 5
    while stage.cluster.stored(topic) - before < count and time.monotonic() < deadline:
        time.sleep(0.2)
    expect("stored", count, stage.cluster.stored(topic) - before)
    return f"{count} messages"


def consume(stage, name, count, args=(), pattern=RECEIVED, seconds=60):
    """Runs a consumer until it has printed `count` different messages; none
    may come twice."""
    with stage.program(name, *args) as program:
        program.wait(f"{count} messages", lambda: len(set(program.find(pattern))) >= count,
                     seconds)
        time.sleep(1)  # What comes too often comes soon.
        ids = program.find(pattern)
        expect("exceptions", [], program.exceptions()[:3])
    expect("messages", count, len(set(ids)))
    expect("deliveries", count, len(ids))
    return f"{count} messages"


def quickstart_producer(stage):
    return produce(stage, "quickstart.Producer", "TopicTest", 1000)


def quickstart_consumer(stage):
    return consume(stage, "quickstart.Consumer", 1000)


def simple_producer(stage):
    return produce(stage, "simple.Producer", "TopicTest", 128)


def simple_push(stage):
    return consume(stage, "simple.PushConsumer", stage.cluster.stored("TopicTest"))


def async_producer(stage):
    return produce(stage, "simple.AsyncProducer", "Jodie_topic_1023", 100, acknowledged=r" (OK) ")


def oneway_producer(stage):
    return produce(stage, "simple.OnewayProducer", "TopicTest", 100, acknowledged=None)


def lite_subscribe(stage):
    return consume(stage, "simple.LitePullConsumerSubscribe", stage.cluster.stored("TopicTest"))


def lite_assign(stage):
    """Half of the queues to their ends, the first of them from offset 10: or
    from 0, for the client's seek() interrupts a pull of its own, which may win."""
    with stage.program("simple.LitePullConsumerAssign") as program:
        ends = stage.cluster.ends("TopicTest")

        def by_queue():
            queues = {}
            for queue, offset in program.find(r"queueId=(\d+), storeSize=\d+, queueOffset=(\d+)"):
                queues.setdefault(int(queue), set()).add(int(offset))
            return queues

        def complete():
            return sum(offsets in (set(range(10, ends[q])), set(range(ends[q])))
                       for q, offsets in by_queue().items())

        program.wait("half of the queues", lambda: complete() == len(ends) // 2, 40)
        expect("exceptions", [], program.exceptions()[:3])
        queues = by_queue()
        expect("queues", len(ends) // 2, len(queues))
    return ", ".join(f"queue {q}: {min(o)} to {max(o)}" for q, o in sorted(queues.items()))


def lite_assign_with_tags(stage):
    """All queues of two topics, the first of them from offset 10."""
    stage.cluster.create_topic("TopicTest1", 4)
    least = stage.cluster.stored("TopicTest") // 8
    with stage.program("simple.LitePullConsumerAssignWithSubExpression") as program:
        program.wait("messages", lambda: len(set(program.find(RECEIVED))) >= least, 40)
        expect("exceptions", [], program.exceptions()[:3])
        expect("tags", {"TagA"}, set(program.find(r"TAGS=(\w+)")))
        return f"{len(set(program.find(RECEIVED)))} messages so far"


def pull_consumer(stage):
    """It prints nothing, begins at the end of the queues and stores how far it came."""
    group = "please_rename_unique_group_name_5"
    with stage.program("simple.PullConsumer") as program:
        total = stage.cluster.stored("TopicTest")
        program.wait("stored offsets",
                     lambda: stage.cluster.progress(group, "TopicTest") >= total, 60)
        quickstart_producer(stage)
        total = stage.cluster.stored("TopicTest")
        program.wait("stored offsets after more was sent",
                     lambda: stage.cluster.progress(group, "TopicTest") >= total, 30)
        expect("exceptions", [], program.exceptions()[:3])
    return f"offsets up to {total}"


def pull_schedule(stage):
    total = stage.cluster.stored("TopicTest")

    def pulled(program):
        places = set(program.find(r"(\d+)\tMessageQueue \[topic=TopicTest, brokerName=\S+, "
                                  r"queueId=(\d+)\]\tPullResult \[pullStatus=FOUND.*"
                                  r"msgFoundList=(\d+)\]"))
        return sum(int(count) for _, _, count in places)

    with stage.program("simple.PullScheduleService") as program:
        program.wait(f"{total} messages", lambda: pulled(program) >= total, 60)
        expect("messages", total, pulled(program))
        expect("exceptions", [], program.exceptions()[:3])
    return f"{total} messages"


def simple_batch(stage):
    return produce(stage, "batch.SimpleBatchProducer", "BatchTest", 3, ends=False)


def split_batch(stage):
    return produce(stage, "batch.SplitBatchProducer", "BatchTest", 100_000, ends=False, seconds=120)


def broadcast(stage):
    """Two of them: each gets everything."""
    with stage.program("broadcast.PushConsumer") as one:
        with stage.program("broadcast.PushConsumer") as two:
            for program in (one, two):
                program.wait("a start", lambda p=program: p.find("Broadcast Consumer Started"), 40)
            quickstart_producer(stage)
            for program in (one, two):
                program.wait("1000 messages",
                             lambda p=program: len(set(p.find(RECEIVED))) >= 1000, 60)
            both = set(one.find(RECEIVED)) & set(two.find(RECEIVED))
            for program in (one, two):
                expect("exceptions", [], program.exceptions()[:3])
    if len(both) < 1000:
        raise Failure(f"only {len(both)} messages came to both")
    return f"{len(both)} messages to both"


def ordered_producer(stage):
    return produce(stage, "ordermessage.Producer", "TopicTestjjj", 100)


def ordered_consumer(stage):
    """Every tenth time it asks for the same message again after 3 s: the first
    deliveries of each queue must be in order all the same."""
    total = stage.cluster.stored("TopicTest")
    with stage.program("ordermessage.Consumer") as program:
        program.wait("300 messages", lambda: len(set(program.find(RECEIVED))) >= 300, 90)
        expect("exceptions", [], program.exceptions()[:3])
        places = program.find(r"queueId=(\d+), storeSize=\d+, queueOffset=(\d+)")
    for queue in sorted({q for q, _ in places}):
        offsets = list(dict.fromkeys(int(o) for q, o in places if q == queue))
        if offsets != list(range(offsets[0], offsets[0] + len(offsets))):
            raise Failure(f"queue {queue} out of order: {offsets}")
    return f"{len(set(places))} of {total} messages, in order"


def delayed(stage, consumer, producer, topic, count, born):
    """`born`: the consumer prints the time since birth, not since storage."""
    with stage.program(consumer) as program:
        time.sleep(2)
        began = time.monotonic()
        produce(stage, producer, topic, count, delay=15)
        pattern = r"msgId=(\w+)\s+(-?\d+)\s+ms later"
        program.wait(f"{count} messages", lambda: len(program.find(pattern)) >= count, 60)
        took = time.monotonic() - began
        time.sleep(1)
        found = program.find(pattern)
        expect("exceptions", [], program.exceptions()[:3])
    expect("messages", count, len({i for i, _ in found}))
    expect("deliveries", count, len(found))
    ages = [int(ms) for _, ms in found]
    if took < 10 or (born and min(ages) < 9_900):
        raise Failure(f"too early: {took:.1f} s after the first send, {min(ages)} ms old")
    return f"{count} messages, {min(ages)} to {max(ages)} ms after " + \
        ("birth" if born else "storage")


def scheduled(stage):
    return delayed(stage, "schedule.ScheduledMessageConsumer", "schedule.ScheduledMessageProducer",
                   "TestTopic", 100, born=False)


def timer(stage):
    return delayed(stage, "schedule.TimerMessageConsumer", "schedule.TimerMessageProducer",
                   "TimerTopic", 10, born=True)


def tag_filter(stage):
    produce(stage, "filter.TagFilterProducer", "TagFilterTest", 60)
    return consume(stage, "filter.TagFilterConsumer", 40)


def namespaces(stage):
    produce(stage, "namespace.ProducerWithNamespace", "NAMESPACE_TOPIC", 100,
            acknowledged="(send success)")
    return consume(stage, "namespace.PushConsumerWithNamespace", 100, pattern=r"MsgId is:(\w+)")


def trace(stage):
    """A producer that also reports what it sent to the topic for traces."""
    return produce(stage, "tracemessage.TraceProducer", "TopicTest", 128)


def bench_producer(stage):
    args = ("-n", stage.cluster.namesrv, "-w", "16", "-s", "1024", "-q", "20000")
    before = stage.cluster.stored("BenchmarkTest")
    with stage.program("benchmark.Producer", *args) as program:
        program.wait_end(180)
        expect("exceptions", [], program.exceptions()[:3])
        line = (program.find(r"\[Complete\].*") or ["no result"])[-1]
        if not re.search(r"Send Total: 20000 .*Send Failed: 0 .*Response Failed: 0", line):
            raise Failure(line)
    expect("stored", 20000, stage.cluster.stored("BenchmarkTest") - before)
    return re.sub(r"\s+", " ", line)


def bench_batch_producer(stage):
    """It has no end: until it has printed a rate."""
    args = ("-n", stage.cluster.namesrv, "-w", "8", "-s", "1024", "-b", "16", "-ri", "3000")
    before = stage.cluster.stored("BenchmarkTest")
    with stage.program("benchmark.BatchProducer", *args) as program:
        program.wait("a rate", lambda: program.find("Send MPS"), 60)
        line = program.find(r"Send TPS: .*")[-1]
    stored = stage.cluster.stored("BenchmarkTest") - before
    if not re.search(r"Send Failed: 0 .*Send Message Failed: 0", line) or stored % 16 != 0:
        raise Failure(f"{line}; {stored} stored")
    return f"{stored} messages; {line}"


def bench_consumer(stage):
    """It has no end: until its group has come to the end of the topic."""
    args = ("-n", stage.cluster.namesrv, "-ri", "3000")
    total = stage.cluster.stored("BenchmarkTest")
    with stage.program("benchmark.Consumer", *args) as program:
        program.wait(f"offsets up to {total}", lambda: stage.cluster.progress(
            "benchmark_consumer", "BenchmarkTest") >= total, 180)
        program.wait("a rate", lambda: program.find("Consume TPS"), 30)
        lines = program.find(r"Consume TPS: .*")
        expect("exceptions", [], program.exceptions()[:3])
    if not re.search(r"Consume Fail: 0", lines[0]):
        raise Failure(lines[0])
    return f"{total} messages; {lines[0]}"


EXAMPLES = [
    ("quickstart.Producer", quickstart_producer),
    ("quickstart.Consumer", quickstart_consumer),
    ("simple.Producer", simple_producer),
    ("simple.PushConsumer", simple_push),
    ("simple.AsyncProducer", async_producer),
    ("simple.OnewayProducer", oneway_producer),
    ("simple.LitePullConsumerSubscribe", lite_subscribe),
    ("simple.LitePullConsumerAssign", lite_assign),
    ("simple.LitePullConsumerAssignWithSubExpression", lite_assign_with_tags),
    ("simple.PullConsumer", pull_consumer),
    ("simple.PullScheduleService", pull_schedule),
    ("batch.SimpleBatchProducer", simple_batch),
    ("batch.SplitBatchProducer", split_batch),
    ("broadcast.PushConsumer", broadcast),
    ("ordermessage.Producer", ordered_producer),
    ("ordermessage.Consumer", ordered_consumer),
    ("schedule.ScheduledMessage*", scheduled),
    ("schedule.TimerMessage*", timer),
    ("filter.TagFilter*", tag_filter),
    ("namespace.Producer/PushConsumerWithNamespace", namespaces),
    ("tracemessage.TraceProducer", trace),
    ("benchmark.Producer", bench_producer),
    ("benchmark.BatchProducer", bench_batch_producer),
    ("benchmark.Consumer", bench_consumer),
]

# Named, so that nobody takes silence for success.
SKIPPED = [
    ("filter.SqlFilter*", "SQL92 is refused with a text for now"),
    ("transaction.*, benchmark.TransactionProducer", "transactions are refused for now"),
    ("rpc.*", "request and reply are refused for now; the client's own request() is broken"),
    ("simple.PopConsumer, lmq.*", "POP is refused for now"),
    ("tracemessage.OpenTracing*, openmessaging.*", "other libraries' front ends"),
    ("simple.AclClient", "there are no users yet"),
    ("namespace.PullConsumerWithNamespace", "waits 20 s at the end of each queue; seen to work"),
]
