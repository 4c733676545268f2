"""Decides what was right when a leader was killed under a classic client. Pure:
events in, complaints out; no complaint means that every promise was kept.

Promises: what was acknowledged is received and is in the log once; one Message
object sent again on purpose is stored every time but, at most, the one send
that nobody can tell from its predecessor's retry; no consumer lets go of a
queue. Standstills are measured, not judged.
"""

import collections
import re

COMPLAINTS_MAX = 8
KILL_TAKES_MS = 500  # From before the kill is ordered until the process is gone.
# Brokers take a repeat of what they answered later than this for a retry: the
# client waits for 3 s.
PROMPT_MS = 2500
_SCENARIO = re.compile(r"^(ok|FAILED)\s+(\S+)\s+(\S+)\s*(.*)$")


def _named(events, name):
    return [event for event in events if event["event"] == name]


def _shorten(complaints):
    if len(complaints) <= COMPLAINTS_MAX:
        return complaints
    return complaints[:COMPLAINTS_MAX] + [f"… and {len(complaints) - COMPLAINTS_MAX} more"]


def scenarios(lines, wanted):
    """What a client's own scenarios printed, one "ok NAME TIME NOTE" a line, as
    {name: (ok, note)}. What was wanted and is not there has failed."""
    seen = {}
    for line in lines:
        match = _SCENARIO.match(line)
        if match:
            seen[match[2]] = (match[1] == "ok", f"{match[3]} {match[4]}".strip())
    return {name: seen.get(name, (False, "never ran")) for name in wanted}


def survived_kill(seed, sends, receives, stored_ids, killed_ms, settled_ms, queues):
    """`receives`: one list of events for each consumer of the group. `settled_ms`:
    from then on no consumer's queues may change; `queues` are theirs in all."""
    sent = {event["id"]: event for event in _named(sends, "sent")}
    complaints = []
    before = sum(event["ms"] < killed_ms for event in sent.values())
    if before in (0, len(sent)):
        complaints.append("the leader was not killed in the middle of the sends")
    if len(sent) != len(_named(sends, "sent")):
        complaints.append("two acknowledged sends have one id")
    complaints += _received(seed, sent, receives)
    complaints += _stored(sent, sends, receives, stored_ids, killed_ms)
    complaints += _queues(receives, settled_ms, queues)
    return _shorten(complaints)


def _received(seed, sent, receives):
    complaints = []
    got = {}
    for event in (e for events in receives for e in _named(events, "received")):
        origin = sent.get(event["id"])
        if origin is None:
            continue
        got[event["id"]] = event
        wanted = f"m-{origin['index']}-{seed}"
        if event["body"] != wanted:
            complaints.append(f"message {origin['index']} came as {event['body']!r}")
    for message_id, event in sent.items():
        if message_id not in got:
            complaints.append(f"message {event['index']} was acknowledged and never received")
    return complaints


def _stored(sent, sends, receives, stored_ids, killed_ms):
    stored = collections.Counter(stored_ids)
    complaints = [f"message {event['index']} was acknowledged and is not in the log"
                  for message_id, event in sent.items() if message_id not in stored]
    resent = {event.get("id") for event in _named(sends, "resent")}
    if None in resent or "" in resent:
        return complaints + ["the program does not say which id it sent again"]
    for message_id, times in stored.items():
        if times > 1 and message_id not in resent:
            complaints.append(f"{message_id} is stored {times} times")
    return complaints + _resends(sends, receives, stored, killed_ms)


def _resends(sends, receives, stored, killed_ms):
    complaints = []
    taken = taken_for_retries(sends)
    for number, event in enumerate(taken):
        if number > 0 or not _is_ambiguous(event, sends, killed_ms):
            complaints.append(f"resend {event['n']}, "
                              f"{(event['ms'] - killed_ms) / 1000:.1f} s after the kill, was taken "
                              "for a retry of an earlier one")
    wanted, times = resends(sends, stored.elements())
    wanted -= len(taken)
    # One that failed visibly may be there or not.
    if not wanted <= times <= wanted + len(_named(sends, "resend_failed")):
        complaints.append(f"one object was sent {wanted} times on purpose, but for what was taken "
                          f"for a retry, and is stored {times} times")
    ids = {event["id"] for event in _named(sends, "resent")}
    places = {(e["queue"], e["offset"]) for events in receives
              for e in _named(events, "received") if e["id"] in ids}
    if len(places) != times:
        complaints.append(f"the object stored {times} times was received from {len(places)} places")
    return complaints


def taken_for_retries(sends):
    """The resends that were answered with the place of an earlier one. Clients
    that make an id for each send of one object have none."""
    seen = set()
    taken = []
    for event in _named(sends, "resent"):
        place = (event["id"], event["offset_id"])
        if place in seen:
            taken.append(event)
        seen.add(place)
    return taken


def _is_ambiguous(resend, sends, killed_ms):
    """Whether nobody could tell this send from its predecessor's retry: the
    connection broke between the two, or the predecessor's answer came so late
    that the client need not have waited for it."""
    events = _named(sends, "resent")
    before = events[events.index(resend) - 1]
    late = before.get("took_ms", 0) > PROMPT_MS
    # An answer just after `killed_ms` is one that the dying broker gave.
    return late or before["ms"] < killed_ms + KILL_TAKES_MS and resend["ms"] >= killed_ms


def resends(sends, stored_ids):
    """(how often one object was sent on purpose, how often it is stored)"""
    stored = collections.Counter(stored_ids)
    ids = [event.get("id") for event in _named(sends, "resent")]
    return len(ids), sum(stored[message_id] for message_id in set(ids))


def held(receives):
    """How many queues each consumer has, None if it does not tell."""
    counts = []
    for events in receives:
        changes = _named(events, "queues")
        counts.append(changes[-1]["count"] if changes else None)
    return counts


def _queues(receives, settled_ms, queues):
    complaints = []
    taker = collections.defaultdict(set)
    for number, events in enumerate(receives, 1):
        count = None
        for event in _named(events, "queues"):
            if event["ms"] >= settled_ms and event["count"] != count:
                complaints.append(f"consumer {number} went from {count} queues to "
                                  f"{event['count']}, {(event['ms'] - settled_ms) / 1000:.1f} s "
                                  "after all were settled")
            count = event["count"]
        for event in _named(events, "received"):
            if event["ms"] >= settled_ms and event.get("reconsume", 0) == 0:
                taker[event["queue"]].add(number)
    # Holds for clients, too, that do not tell which queues they have.
    wandered = sorted(queue for queue, numbers in taker.items() if len(numbers) > 1)
    if wandered:
        complaints.append(f"queues {wandered} went from one consumer to the other")
    known = [count for count in held(receives) if count is not None]
    if len(known) == len(receives) and sum(known) != queues:
        complaints.append(f"at the end the consumers have {known} of {queues} queues")
    return complaints


def standstill_ms(events, name, killed_ms):
    """Longest time without an event of this name that ends after the kill."""
    times = sorted(event["ms"] for event in _named(events, name))
    gaps = [after - before for before, after in zip(times, times[1:]) if after >= killed_ms]
    return max(gaps, default=0)


def latest_ms(sends, receives):
    """The longest way of an acknowledged message to a consumer."""
    sent = {event["id"]: event["ms"] for event in _named(sends, "sent")}
    first = {}
    for event in (e for events in receives for e in _named(events, "received")):
        first[event["id"]] = min(event["ms"], first.get(event["id"], event["ms"]))
    return max((first[i] - ms for i, ms in sent.items() if i in first), default=0)


def stored_under_new_ids(sends, receives):
    """Messages that are in the log under a second id: their client made one for
    its own retry, so that nobody could know it for one."""
    sent = {event["id"] for event in _named(sends, "sent")}
    ids = collections.defaultdict(set)
    for event in (e for events in receives for e in _named(events, "received")):
        ids[event["body"]].add(event["id"])
    return sum(len(known) > 1 and bool(known & sent) for known in ids.values())


def received_more_than_once(receives):
    places = collections.Counter((e["queue"], e["offset"]) for events in receives
                                 for e in _named(events, "received"))
    return sum(times > 1 for times in places.values())
