"""Decides, from a plan and the events that the clients printed, whether a
scenario went as promised. Pure: events in, complaints out; no complaint means
that the promise was kept."""

import collections

COMPLAINTS_MAX = 8


def sent_by_id(sends):
    return {event["id"]: event for event in sends if event["event"] == "sent"}


def _named(events, name):
    return [event for event in events if event["event"] == name]


def _shorten(complaints):
    if len(complaints) <= COMPLAINTS_MAX:
        return complaints
    more = len(complaints) - COMPLAINTS_MAX
    return complaints[:COMPLAINTS_MAX] + [f"… and {more} more"]


def _content(plan, seed, topic, sent, deliveries):
    """Each delivery must equal what the plan says about its message."""
    by_index = {message.index: message for message in plan}
    hashes = {}
    complaints = []
    for delivery in deliveries:
        origin = sent.get(delivery["id"])
        if origin is None:
            continue
        planned = by_index[origin["index"]]
        if planned.index not in hashes:
            hashes[planned.index] = planned.body_sha256(seed)
        wanted = {"topic": topic, "size": planned.size, "sha256": hashes[planned.index],
                  "tag": planned.tag, "keys": sorted(planned.keys),
                  "properties": planned.properties}
        got = {name: delivery[name] for name in wanted}
        got["keys"] = sorted(got["keys"] or [])
        for name, value in wanted.items():
            if got[name] != value:
                complaints.append(f"message {planned.index}: {name} is {got[name]!r}, "
                                  f"was sent as {value!r}")
    return complaints


def exactly_once(plan, seed, topic, sends, receives, acks_expected):
    """Everything sent arrived once, unchanged, at the first attempt, and, for
    a consumer that acknowledges by itself, was acknowledged once."""
    sent = sent_by_id(sends)
    complaints = []
    for failure in _named(sends, "send_failed"):
        complaints.append(f"send {failure['index']} failed: {failure['error']}")
    if len(sent) != len(plan):
        complaints.append(f"{len(sent)} distinct message ids for {len(plan)} messages")

    deliveries = _named(receives, "received")
    count = collections.Counter(event["id"] for event in deliveries)
    for message_id, event in sent.items():
        if count[message_id] != 1:
            complaints.append(f"message {event['index']} was delivered {count[message_id]} times")
    for message_id in count.keys() - sent.keys():
        complaints.append(f"an id nobody sent was delivered: {message_id}")
    for event in deliveries:
        if event["attempt"] != 1:
            complaints.append(f"{event['id']} came with attempt {event['attempt']}")
    complaints += _content(plan, seed, topic, sent, deliveries)

    for name in ("receive_failed", "ack_failed"):
        for event in _named(receives, name):
            complaints.append(f"{name}: {event['error']}")
    if acks_expected:
        acked = collections.Counter(event["id"] for event in _named(receives, "acked"))
        wrong = [i for i in sent if acked[i] != 1]
        if wrong:
            complaints.append(f"{len(wrong)} messages were not acknowledged exactly once")
    return _shorten(complaints)


def redelivered(plan, seed, topic, sends, receives, invisible_s, patience_s):
    """One message left unacknowledged came back once, in time, as attempt 2."""
    sent = sent_by_id(sends)
    if len(sent) != 1:
        return [f"{len(sent)} messages were sent, not 1"]
    deliveries = _named(receives, "received")
    attempts = [event["attempt"] for event in deliveries]
    if attempts != [1, 2]:
        return [f"attempts delivered: {attempts}, wanted [1, 2]"]
    complaints = _content(plan, seed, topic, sent, deliveries)
    # The lease begins between the birth of the message and the moment when the
    # client prints it, which may be long after on a machine that is busy.
    after_s = (deliveries[1]["ms"] - deliveries[0]["ms"]) / 1000
    since_birth_s = (deliveries[1]["ms"] - deliveries[0]["born_ms"]) / 1000
    if since_birth_s < invisible_s:
        complaints.append(f"came back {since_birth_s:.1f} s after its birth, "
                          f"wanted {invisible_s} or more")
    if after_s > patience_s:
        complaints.append(f"came back after {after_s:.1f} s, wanted {patience_s} or less")
    if len(_named(receives, "acked")) != 1:
        complaints.append("the second attempt was not acknowledged")
    return _shorten(complaints)


def survived_kill(plan, seed, topic, sends, receives, stored_ids, killed_ms, wanted, failures_max):
    """What was acknowledged around a kill of the leader is there, once."""
    sent = sent_by_id(sends)
    complaints = []
    if len(sent) < wanted:
        complaints.append(f"{len(sent)} sends acknowledged, wanted {wanted}")
    failures = _named(sends, "send_failed")
    if len(failures) > failures_max:
        complaints.append(f"{len(failures)} sends failed visibly, allowed are {failures_max}; "
                          f"first: {failures[0]['error']}")
    before = sum(event["ms"] < killed_ms for event in sent.values())
    if before in (0, len(sent)):
        complaints.append("the leader was not killed in the middle of the sends")

    deliveries = _named(receives, "received")
    got = {event["id"] for event in deliveries}
    for message_id, event in sent.items():
        if message_id not in got:
            complaints.append(f"message {event['index']} was acknowledged and never delivered")
    complaints += _content(plan, seed, topic, sent, deliveries)

    stored = collections.Counter(stored_ids)
    for message_id, times in stored.items():
        if times > 1:
            complaints.append(f"{message_id} is stored {times} times")
    for message_id, event in sent.items():
        if message_id not in stored:
            complaints.append(f"message {event['index']} was acknowledged and is not in the log")
    return _shorten(complaints)


def standstill_ms(sends, killed_ms):
    """Longest time without an acknowledgement that ends after the kill."""
    times = sorted(event["ms"] for event in sends if event["event"] == "sent")
    gaps = [after - before for before, after in zip(times, times[1:]) if after >= killed_ms]
    return max(gaps, default=0)


def deliveries_more_than_once(receives):
    count = collections.Counter(event["id"] for event in _named(receives, "received"))
    return sum(times > 1 for times in count.values())
