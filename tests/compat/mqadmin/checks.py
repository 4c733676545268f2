"""The commands that are compared: what is run, and what of it may differ and why."""

import difflib
import json
import re

import stage as stages
from stage import OFFLINE, ONLINE, PRODUCER, TOPIC

MADE = "made-by-mqadmin"
SCRATCH = "never-created"
MADE_GROUP = "group-by-mqadmin"


class Check:
    """One command. `argv` may use {cluster}, {broker}, {address}, {unique:N},
    {id:N}. `compare(pair)` returns the differences as lines; the default wants
    equal lines, sorted if `unordered`, without those that match `ignore`."""

    def __init__(self, name, *argv, unordered=False, ignore=(), compare=None, note="", expect=("ok",)):
        self.name = name
        self.argv = [name, *argv]
        self.unordered = unordered
        self.ignore = [re.compile(pattern) for pattern in ignore]
        self.compare = compare or self._equal_lines
        self.note = note
        self.expect = expect

    def arguments(self, server, stage):
        def fill(word):
            word = word.replace("{cluster}", server.cluster).replace("{broker}", server.broker)
            word = word.replace("{address}", server.address)
            word = re.sub(r"\{unique:(\d+)\}", lambda m: stage.message(m.group(1)).unique_id, word)
            return re.sub(r"\{id:(\d+)\}", lambda m: stage.message(m.group(1)).offset_id, word)
        return [fill(word) for word in self.argv]

    def label(self):
        return " ".join(self.argv)

    def _kept(self, side):
        lines = side.names.normalise(side.outcome.out)
        for pattern in self.ignore:
            lines = [pattern.sub("", line) for line in lines]
        lines = [line for line in lines if line.strip()]
        return sorted(lines) if self.unordered else lines

    def _equal_lines(self, theirs, ours):
        return diff(self._kept(theirs), self._kept(ours))


class Side:
    """What one server made of a command."""

    def __init__(self, server, stage, names, outcome):
        self.server = server
        self.stage = stage
        self.names = names
        self.outcome = outcome


def diff(theirs, ours):
    return [line for line in difflib.unified_diff(theirs, ours, "rocketmq", "totora", lineterm="", n=0)
            if not line.startswith(("---", "+++", "@@"))]


def same_topics(theirs, ours):
    """Equal but for the topics that each server has for itself."""
    def known(side):
        own = {"SELF_TEST_TOPIC", "BenchmarkTest", "OFFSET_MOVED_EVENT", "SCHEDULE_TOPIC_XXXX",
               "TRANS_CHECK_MAX_TIME_TOPIC", "RMQ_SYS_TRANS_HALF_TOPIC", "TBW102",
               "RMQ_SYS_TRANS_OP_HALF_TOPIC", "CLUSTER", "BROKER", f"{side.server.cluster}_REPLY_TOPIC"}
        lines = side.names.normalise(side.outcome.out)
        return sorted({line for line in lines
                       if line not in own and not line.startswith(("rmq_sys_", "%RETRY%TOOLS"))})
    return diff(known(theirs), known(ours))


def same_cluster_table(theirs, ours):
    """The header, and the row of id 0 but for load and version; then each replica."""
    def header(side):
        return side.outcome.out.splitlines()[0].split() if side.outcome.out else []
    complaints = diff(header(theirs), header(ours))
    rows = [line.split() for line in ours.outcome.out.splitlines()[1:] if line.strip()]
    leaders = [row for row in rows if len(row) > 3 and row[2] == "0"]
    if len(leaders) != 1 or leaders[0][3] != ours.server.address:
        complaints.append(f"+one row of id 0 with the group address was expected: {leaders}")
    if sorted(row[3] for row in rows if len(row) > 3) != sorted(ours.server.addresses):
        complaints.append(f"+not the group address and each replica's: {rows}")
    complaints += [f"+no true figures: {' '.join(row)}" for row in rows
                   if "null" in " ".join(row) or row[-1] != "true"]
    return complaints


# Keys of RocketMQ's own machinery that Totora has no counterpart for; and latencies, which its
# classic protocol does not tell.
FOREIGN_STATUS = re.compile(
    r"commitLogDiskRatio_|queueDiskRatio|remainTransientStore|remainHowManyDataToCommit|"
    r"scheduleMessageOffset_|putMessageDistributeTime|.*ThreadPool|.*QueueSize|.*QueueCapacity|"
    r"putLatency99|getMessageEntireTimeMax|putMessageEntireTimeMax")


def same_status_keys(theirs, ours):
    def keys(side):
        return {line.split(":")[0].strip() for line in side.outcome.out.splitlines() if ":" in line}
    missing = sorted(key for key in keys(theirs) - keys(ours) if not FOREIGN_STATUS.match(key))
    values = dict(re.findall(r"^(\w+)\s*: (.*)$", ours.outcome.out, re.M))
    bad = [f"+{key} is not a triple of numbers: {values[key]!r}"
           for key in ("putTps", "getTransferredTps", "getFoundTps", "getMissTps", "getTotalTps")
           if key in values and not re.fullmatch(r"[\d.]+ [\d.]+ [\d.]+", values[key].strip())]
    return [f"-{key}" for key in missing] + bad


def same_config_keys(theirs, ours):
    """Keys that people look for. The others are RocketMQ's own settings."""
    wanted = ("brokerName", "brokerClusterName", "listenPort", "namesrvAddr", "brokerIP1",
              "autoCreateTopicEnable", "autoCreateSubscriptionGroup", "defaultTopicQueueNums",
              "maxMessageSize", "messageDelayLevel", "brokerPermission", "storePathRootDir")
    def keys(side):
        return set(re.findall(r"^([\w.]+)\s*=", side.outcome.out, re.M))
    lacking = [key for key in wanted if key not in keys(theirs)]
    assert not lacking, f"RocketMQ does not print {lacking}"
    return [f"-{key}" for key in wanted if key not in keys(ours)]


def same_stats(theirs, ours):
    """Topic, consumer group and accumulation; the day's sums against what was sent and consumed."""
    def rows(side):
        lines = side.names.normalise(side.outcome.out)
        split = [line.split() for line in lines if line.startswith(TOPIC + " ")]
        # RocketMQ lists a group named like the topic; see _PHANTOM.
        return sorted(row for row in split if row[1] != TOPIC)
    complaints = diff([" ".join(row[:3]) for row in rows(theirs)],
                      [" ".join(row[:3]) for row in rows(ours)])
    truth = [str(stages.FIRST_HALF + stages.SECOND_HALF), str(stages.FIRST_HALF)]
    return complaints + [f"+{' '.join(row)}: {' '.join(truth)} were put and consumed"
                         for row in rows(ours) if row[5:] != truth]


def same_send(theirs, ours):
    """Which queue a send without one goes to is chance."""
    def lines(side):
        return [re.sub(r"^BROKER \d+ ", "BROKER Q ", line)
                for line in side.names.normalise(side.outcome.out)]
    return diff(lines(theirs), lines(ours))


def same_round_trips(theirs, ours):
    def lines(side):
        rows = side.names.normalise(side.outcome.out)
        return [re.sub(r" [\d.]+$", " RT", row) for row in rows]
    return diff(lines(theirs), lines(ours))


def same_route(theirs, ours):
    def route(side):
        text = side.names.normalise(side.outcome.out)
        # fastjson leaves the numbers that are keys bare.
        plain = re.sub(r"([{,])\s*(\d+)\s*:", r'\1"\2":', " ".join(text))
        return json.dumps(json.loads(plain), indent=1, sort_keys=True).splitlines()
    return diff(route(theirs), route(ours))


# RocketMQ lists a group that nobody uses, named like the topic, once the tool has asked for progress.
_PHANTOM = rf"^MessageTrack \[consumerGroup={TOPIC}, .*|^See https://rocketmq.*"
# RocketMQ remembers how far a consumer had pulled before the reset and calls that in flight.
_AFTER_RESET = [r"^Consume (TPS|Inflight Total): .*", r"(?<= )-?\d+ (?=(?:TIME|N/A)$)"]
# What the tool's own consumers leave behind depends on when the server makes
# their retry topics.
_OWN_GROUPS = r"^(TOOLS_CONSUMER|CID_|SELF_TEST|FILTERSRV|MONITOR).*"


def prepare():
    """What makes the state; the printed texts are compared, too."""
    return [
        Check("updateTopic", "-c", "{cluster}", "-t", TOPIC, "-r", str(stages.QUEUES), "-w",
              str(stages.QUEUES)),
        Check("updateSubGroup", "-c", "{cluster}", "-g", ONLINE),
        Check("updateSubGroup", "-c", "{cluster}", "-g", OFFLINE, "-r", "3"),
    ]


def reads(before_ms):
    """Questions; nothing changes but what the tool's own consumers leave behind."""
    return [
        Check("clusterList", compare=same_cluster_table,
              note="the header, the addresses, no empty column; id 0 is the group address, the "
                   "other ids are the replicas; each row tells the figures of the whole group: "
                   "do not add them up"),
        Check("topicList", compare=same_topics, note="but for each server's own system topics"),
        Check("topicRoute", "-t", TOPIC, compare=same_route),
        Check("topicRoute", "-t", TOPIC, "-l"),
        Check("topicRoute", "-t", "no-such-topic", expect=("refused",)),
        Check("topicStatus", "-t", TOPIC, ignore=[r"^Topic Put TPS: .*"], note="but for the rate"),
        Check("consumerProgress", "-g", ONLINE, ignore=[r"^Consume TPS: .*"]),
        Check("consumerProgress", "-g", OFFLINE, ignore=[r"^Consume TPS: .*"]),
        Check("consumerProgress", "-g", ONLINE, "-t", TOPIC, "-s", "true",
              ignore=[r"^Consume TPS: .*"]),
        Check("consumerProgress", unordered=True, ignore=[_OWN_GROUPS]),
        Check("consumerConnection", "-g", ONLINE),
        Check("consumerConnection", "-g", OFFLINE, expect=("refused",)),
        Check("producerConnection", "-g", PRODUCER, "-t", TOPIC),
        Check("producerConnection", "-g", "no-such-group", "-t", TOPIC, expect=("refused",)),
        Check("brokerStatus", "-b", "{address}", compare=same_status_keys,
              note="the keys, and that rates are three numbers; lacking: figures of RocketMQ's "
                   "buffers and pools of threads, latencies (putLatency99, "
                   "putMessageEntireTimeMax, getMessageEntireTimeMax)"),
        Check("queryMsgById", "-t", TOPIC, "-i", "{id:3}", "-f", "UTF-8", ignore=[_PHANTOM]),
        Check("queryMsgByKey", "-t", TOPIC, "-k", "key-5"),
        Check("queryMsgByKey", "-t", TOPIC, "-k", "no-such-key", expect=("ok", "refused")),
        Check("queryMsgByUniqueKey", "-t", TOPIC, "-i", "{unique:7}", ignore=[_PHANTOM]),
        Check("queryMsgByOffset", "-t", TOPIC, "-b", "{broker}", "-i", "1", "-o", "2", "-f", "UTF-8",
              ignore=[_PHANTOM]),
        Check("printMsg", "-t", TOPIC, unordered=True),
        Check("printMsg", "-t", TOPIC, "-s", "TagA", "-d", "false", unordered=True),
        Check("consumeMessage", "-t", TOPIC, "-b", "{broker}", "-i", "2", "-o", "1", "-c", "3"),
        Check("getBrokerConfig", "-b", "{address}", compare=same_config_keys,
              note="the keys that both have; brokerId is no setting: replicas elect who leads"),
        Check("statsAll", "-t", TOPIC, compare=same_stats,
              note="the day's sums are compared with what was sent and consumed: RocketMQ prints "
                   "0 until it has taken two samples"),
    ]


def changes(before_ms):
    """Commands that change something, each followed by a look at what it did."""
    return [
        Check("sendMessage", "-t", SCRATCH, "-p", "by-hand", "-k", "hand-key", "-c", "Hand",
              compare=same_send, note="makes the topic, too"),
        Check("topicRoute", "-t", SCRATCH, compare=same_route),
        Check("sendMessage", "-t", TOPIC, "-p", "to-a-queue", "-b", "{broker}", "-i", "3",
              compare=same_send),
        Check("queryMsgByKey", "-t", SCRATCH, "-k", "hand-key", ignore=[r"(?<=^ID )\d+ \d+$"]),
        Check("updateTopic", "-c", "{cluster}", "-t", MADE, "-r", "3", "-w", "2", "-p", "6"),
        Check("topicRoute", "-t", MADE, compare=same_route),
        Check("checkMsgSendRT", "-t", MADE, "-a", "6", "-s", "64", compare=same_round_trips),
        Check("topicStatus", "-t", MADE, ignore=[r"^Topic Put TPS: .*"],
              note="one Message object sent 6 times is stored 6 times"),
        Check("updateTopic", "-b", "{address}", "-t", MADE, "-r", "5", "-w", "5", "-p", "4"),
        Check("topicRoute", "-t", MADE, compare=same_route),
        Check("deleteTopic", "-c", "{cluster}", "-t", MADE),
        Check("topicRoute", "-t", MADE, expect=("refused",)),
        Check("updateSubGroup", "-c", "{cluster}", "-g", MADE_GROUP, "-s", "false", "-d", "true",
              "-q", "2", "-r", "5"),
        Check("getConsumerConfig", "-g", MADE_GROUP, ignore=[r"^consumeFromMinEnable = .*"],
              note="but for consumeFromMinEnable, which means nothing here and is always true"),
        Check("deleteSubGroup", "-c", "{cluster}", "-g", MADE_GROUP, "-r", "true"),
        Check("getConsumerConfig", "-g", MADE_GROUP, expect=("ok", "refused")),
        Check("resetOffsetByTime", "-g", OFFLINE, "-t", TOPIC, "-s", str(before_ms)),
        Check("consumerProgress", "-g", OFFLINE, ignore=_AFTER_RESET),
        Check("resetOffsetByTime", "-g", OFFLINE, "-t", TOPIC, "-s", "now"),
        Check("consumerProgress", "-g", OFFLINE, ignore=_AFTER_RESET,
              note="nothing is left after a reset to now"),
        Check("updateKvConfig", "-s", "mqadmin-space", "-k", "colour", "-v", "blue"),
        Check("updateOrderConf", "-t", TOPIC, "-m", "put", "-v", "{broker}:4"),
        Check("updateOrderConf", "-t", TOPIC, "-m", "get"),
        Check("updateOrderConf", "-t", TOPIC, "-m", "delete"),
        Check("deleteKvConfig", "-s", "mqadmin-space", "-k", "colour"),
        Check("wipeWritePerm", "-b", "{broker}", ignore=[r"(?<=OK, )\d+"]),
        Check("topicRoute", "-t", TOPIC, compare=same_route),
        Check("addWritePerm", "-b", "{broker}", ignore=[r"(?<=OK, )\d+"]),
        Check("topicRoute", "-t", TOPIC, compare=same_route),
    ]
