"""Every command that is not compared line by line, with the least that it asks for. None may hang or
end in a stack trace that tells of something unreadable."""

from stage import OFFLINE, ONLINE, TOPIC

OTHER_TOPIC = "others"
OTHER_GROUP = "others-group"
NOWHERE = "127.0.0.1:1"

# Commands that go on for ever by design, and what stops them from being asked to.
ENDLESS = {"startMonitoring", "clusterRT"}

# For a server that is no broker of the tool's own kind: what they speak to does not exist in Totora.
ELSEWHERE = {
    "addBroker": "a broker container", "removeBroker": "a broker container",
    "getSyncStateSet": "a controller", "getControllerMetaData": "a controller",
    "getControllerConfig": "a controller", "updateControllerConfig": "a controller",
    "electMaster": "a controller", "cleanBrokerMetadata": "a controller",
    "dumpCompactionLog": "a file", "exportMetadataInRocksDB": "a folder",
}


def arguments(folder):
    """command -> list of argument lists. Words as in checks.Check, and {file:NAME}, a file of
    `folder` that write_files() has made, and {client}, the id of a connected consumer."""
    c = ["-c", "{cluster}"]
    b = ["-b", "{address}"]
    group_and_topic = ["-g", OFFLINE, "-t", TOPIC]
    return {
        "updateTopicList": [[*b, "-f", "{file:topics.json}"]],
        "updateSubGroupList": [[*b, "-f", "{file:groups.json}"]],
        "setConsumeMode": [[*c, "-t", OTHER_TOPIC, "-g", OTHER_GROUP, "-m", "PULL"],
                           [*c, "-t", OTHER_TOPIC, "-g", OTHER_GROUP, "-m", "POP", "-q", "1"]],
        "updateBrokerConfig": [[*b, "-k", "defaultTopicQueueNums", "-v", "8"],
                               [*b, "-k", "noSuchKeyAnywhere", "-v", "1"],
                               [*b, "-k", "storePathRootDir", "-v", "/tmp/elsewhere"]],
        "updateTopicPerm": [[*c, "-t", OTHER_TOPIC, "-p", "4"], [*c, "-t", OTHER_TOPIC, "-p", "6"]],
        "topicClusterList": [["-t", TOPIC]],
        "addBroker": [["-c", NOWHERE, "-b", "/no/such/file"]],
        "removeBroker": [["-c", NOWHERE, "-b", "{cluster}:{broker}:1"]],
        "resetMasterFlushOffset": [[*b, "-o", "0"]],
        "queryMsgTraceById": [["-i", "{unique:3}"]],
        "printMsgByQueue": [["-t", TOPIC, "-a", "{broker}", "-i", "1", "-p", "true", "-d", "true",
                             "-f", "true"]],
        "sendMsgStatus": [["-b", "{broker}", "-c", "3"]],
        "brokerConsumeStats": [[*b], [*b, "-o", "true", "-l", "1"]],
        "consumerStatus": [["-g", ONLINE], ["-g", ONLINE, "-i", "{client}"], ["-g", OFFLINE]],
        "cloneGroupOffset": [["-s", OFFLINE, "-d", OTHER_GROUP, "-t", TOPIC, "-o", "true"]],
        "producer": [["-b", "{address}"]],
        "deleteKvConfig": [["-s", "no-such-space", "-k", "no-such-key"]],
        "skipAccumulatedMessage": [[*group_and_topic], ["-g", OTHER_GROUP, "-t", OTHER_TOPIC]],
        "updateOrderConf": [["-t", "no-such-topic", "-m", "get"]],
        "cleanExpiredCQ": [[*b], [*c]],
        "deleteExpiredCommitLog": [[*b], [*c]],
        "cleanUnusedTopic": [[*b], [*c]],
        "startMonitoring": [[]],
        "allocateMQ": [["-t", TOPIC, "-i", "10.0.0.1,10.0.0.2"]],
        "clusterRT": [["-a", "3", "-i", "1"]],
        "getNamesrvConfig": [[]],
        "updateNamesrvConfig": [["-k", "serverWorkerThreads", "-v", "8"],
                                ["-k", "kvConfigPath", "-v", "/tmp/elsewhere"]],
        "getConsumerConfig": [["-g", ONLINE]],
        "queryCq": [["-t", TOPIC, "-q", "1", "-i", "0", "-c", "3", *b]],
        "updateStaticTopic": [["-t", "static-topic", "-qn", "4", *c]],
        "remappingStaticTopic": [["-t", "static-topic", *c]],
        "exportMetadata": [[*c, "-f", folder], [*b, "-t", "-f", folder]],
        "exportConfigs": [[*c, "-f", folder]],
        "exportMetrics": [[*c, "-f", folder]],
        "exportMetadataInRocksDB": [["-p", "/no/such/folder", "-t", "topics"]],
        "exportPopRecord": [[*b]],
        "haStatus": [[*b], [*c]],
        "getSyncStateSet": [["-a", NOWHERE, *c]],
        "getBrokerEpoch": [["-b", "{broker}"]],
        "getControllerMetaData": [["-a", NOWHERE]],
        "getControllerConfig": [["-a", NOWHERE]],
        "updateControllerConfig": [["-a", NOWHERE, "-k", "k", "-v", "v"]],
        "electMaster": [["-a", NOWHERE, "-b", "1", "-bn", "{broker}", *c]],
        "cleanBrokerMetadata": [["-a", NOWHERE, "-bn", "{broker}", *c]],
        "dumpCompactionLog": [["-f", "/no/such/file"]],
        "getColdDataFlowCtrInfo": [[*b]],
        "updateColdDataFlowCtrGroupConfig": [[*b, "-g", OTHER_GROUP, "-v", "1000"]],
        "removeColdDataFlowCtrGroupConfig": [[*b, "-g", OTHER_GROUP]],
        "setCommitLogReadAheadMode": [[*b, "-m", "0"]],
        "createUser": [[*b, "-u", "somebody", "-p", "secret12"]],
        "updateUser": [[*b, "-u", "somebody", "-p", "secret34"]],
        "getUser": [[*b, "-u", "somebody"]],
        "listUser": [[*b]],
        "copyUser": [["-f", "{address}", "-t", "{address}", "-u", "somebody"]],
        "createAcl": [[*b, "-s", "User:somebody", "-r", f"Topic:{OTHER_TOPIC}", "-a", "Pub", "-d",
                       "Allow"]],
        "updateAcl": [[*b, "-s", "User:somebody", "-r", f"Topic:{OTHER_TOPIC}", "-a", "Sub", "-d",
                       "Allow"]],
        "getAcl": [[*b, "-s", "User:somebody"]],
        "listAcl": [[*b]],
        "copyAcl": [["-f", "{address}", "-t", "{address}", "-s", "User:somebody"]],
        "deleteAcl": [[*b, "-s", "User:somebody"]],
        "deleteUser": [[*b, "-u", "somebody"]],
        "rocksDBConfigToJson": [["-b", "{address}", "-t", "topics"]],
        "checkRocksdbCqWriteProgress": [["-c", "{cluster}", "-n", "{namesrv}", "-t", TOPIC]],
    }


FILES = {
    "topics.json": '[{"topicName":"others","readQueueNums":2,"writeQueueNums":2,"perm":6},'
                   '{"topicName":"others-2","readQueueNums":1,"writeQueueNums":1,"perm":6}]',
    "groups.json": '[{"groupName":"others-group"},{"groupName":"others-group-2",'
                   '"consumeBroadcastEnable":false}]',
}


def differs(name, theirs, ours):
    """What of a pair of outcomes is a fault of ours, or None."""
    if ours.kind == "broken" and theirs.kind != "broken":
        return "ends in a stack trace"
    if ours.kind == "endless" and name not in ENDLESS and theirs.kind != "endless":
        return "does not end"
    return None


def is_same(theirs, ours):
    """Do two runs, each (names, outcome), say the same? Lines may come in any order."""
    def said(names, outcome):
        text = outcome.text if outcome.kind == "refused" else outcome.out
        return outcome.kind, sorted(names.normalise(text))
    return said(*theirs) == said(*ours)
