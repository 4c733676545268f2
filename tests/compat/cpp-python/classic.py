"""What both halves of the program share: the C++ client as PyPI's `rocketmq`
wraps it, events, and a watch over the client's log, the only place where it
says which queues it takes and lets go of."""

import glob
import json
import os
import re
import threading
import time

from rocketmq.client import Message, Producer, PushConsumer, RecvMessage
from rocketmq.consts import MessageProperty
from rocketmq.exceptions import ffi_check
from rocketmq.ffi import _CLogLevel, dll

SUCCESS, LATER = 0, 1
UNIQUE_KEY = MessageProperty.UNIQ_CLIENT_MESSAGE_ID_KEYIDX
_QUEUE = re.compile(r"\](?:\(\w+\))?:?(add|drop) mq:MessageQueue \[topic=([^,]+), .*?queueId=(\d+)\]")
_printing = threading.Lock()


def event(name, **more):
    line = json.dumps({"event": name, "ms": int(time.time() * 1000), **more})
    with _printing:
        print(line, flush=True)


def start_producer(namesrv, group):
    producer = Producer(group)
    producer.set_namesrv_addr(namesrv)
    producer.start()
    return producer


def make_message(topic, body, tag=None, key=None, **properties):
    message = Message(topic)
    message.set_body(body)
    if tag:
        message.set_tags(tag)
    if key:
        message.set_keys(key)
    for name, value in properties.items():
        message.set_property(name, value)
    return message


def start_consumer(namesrv, group, topic, handle, expression="*", instance=None):
    """`handle(message)` returns SUCCESS or LATER. Registered with the library
    itself: the wrapper answers success even when its callback has raised."""
    consumer = PushConsumer(group)
    consumer.set_namesrv_addr(namesrv)
    if instance:
        consumer.set_instance_name(instance)
    ffi_check(dll.SetPushConsumerLogLevel(consumer._handle, _CLogLevel.INFO))
    ffi_check(dll.Subscribe(consumer._handle, topic.encode(), expression.encode()))
    consumer._register_callback(lambda _, message: handle(RecvMessage(message)))
    consumer.start()
    return consumer


class QueueWatch:
    """Follows the log of this process. `changed(queues)` gets the set of queues
    of the topic at every change."""

    def __init__(self, topic, changed):
        self._topic = topic
        self._changed = changed
        self._offsets = {}
        self._held = set()
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        pattern = os.path.expanduser(f"~/logs/rocketmq-cpp/{os.getpid()}_rocketmq-cpp.log.*")
        while True:
            for path in sorted(glob.glob(pattern), key=lambda p: int(p.rsplit(".", 1)[1])):
                self._read(path)
            time.sleep(0.05)

    def _read(self, path):
        with open(path, "rb") as log:
            log.seek(self._offsets.get(path, 0))
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]  # The rest is being written.
        self._offsets[path] = self._offsets.get(path, 0) + len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            match = _QUEUE.search(line)
            if match is None or match[2] != self._topic:
                continue
            if match[1] == "add":
                self._held.add(int(match[3]))
            else:
                self._held.discard(int(match[3]))
            self._changed(set(self._held))
