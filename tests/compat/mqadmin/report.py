"""What was found, for people: lines while it runs, tables at the end, Markdown."""

import re

import others

SHOWN_LINES = 12


class Compared:
    def __init__(self, check, result, lines, theirs, ours):
        self.check = check
        self.result = result  # ok, FAILED, UNSURE
        self.lines = lines
        self.theirs = theirs
        self.ours = ours


class Other:
    """`is_same`: both servers' runs ended with the same text, but for names and times."""

    def __init__(self, name, about, words, theirs, ours, fault, is_same=False):
        self.name = name
        self.about = about
        self.words = words
        self.theirs = theirs
        self.ours = ours
        self.fault = fault
        self.is_same = is_same


def focused(lines):
    """Long lines that are alike, cut down to where they differ."""
    shown = []
    for line in lines:
        twin = next((other for other in lines if other[0] != line[0] and other[1:40] == line[1:40]), None)
        if len(line) > 200 and twin is not None:
            at = next((i for i in range(1, min(len(line), len(twin))) if line[i] != twin[i]), 1)
            line = f"{line[:60]} ... {line[max(1, at - 40):at + 100]}"
        shown.append(line[:220])
    return shown


def print_compared(one):
    print(f"mqadmin: {one.result:<6} {one.ours.seconds:4.1f} s  {one.check.label()}", flush=True)
    for line in focused(one.lines)[:SHOWN_LINES]:
        print(f"           {line}", flush=True)
    if len(one.lines) > SHOWN_LINES:
        print(f"           ... {len(one.lines) - SHOWN_LINES} more", flush=True)


def print_other(one):
    print(f"mqadmin: {'FAILED' if one.fault else one.ours.kind:<8} {one.ours.seconds:4.1f} s  "
          f"{one.name} {' '.join(one.words)}: {one.ours.text[:150]}"
          f"{'' if one.ours.kind == one.theirs.kind else f' (RocketMQ: {one.theirs.kind})'}",
          flush=True)


def print_rates(rates):
    for rate in rates:
        value = "nothing" if rate.value is None else f"{rate.value:.1f}"
        print(f"mqadmin: {'ok' if rate.ok() else 'FAILED':<6} {rate.server:<9} {rate.column:<32} "
              f"{value:>9} of {rate.wanted:.1f}", flush=True)


def summary(run, complete):
    failed = [one for one in run.compared if one.result != "ok"]
    faults = [one for one in run.other if one.fault]
    wrong = [rate for rate in run.rates if rate.server == "totora" and not rate.ok()]
    print(f"\nmqadmin: {len(run.compared) - len(failed)} of {len(run.compared)} outputs are equal, "
          f"{len(run.other) - len(faults)} of {len(run.other)} other runs end well, "
          f"{len(wrong)} rates are wrong"
          f"{'' if complete else '; THE RUN IS NOT COMPLETE'}", flush=True)
    for one in failed:
        print(f"mqadmin: {one.result} {one.check.label()}: {one.ours.kind}: {one.ours.text[:120]}",
              flush=True)
    for one in faults:
        print(f"mqadmin: FAILED {one.name}: {one.fault}", flush=True)
    return complete and not failed and not faults and not wrong


def _cell(text, most=160):
    text = re.sub(r"\b(?:\d{1,3}\.){3}\d{1,3}:\d+\b", "ADDRESS", text)
    text = re.sub(r"/\S*/(mqadmin|totora)/", "", text)
    text = re.sub(r"\b(?:(?:\d{1,3}\.){3}\d{1,3}@\S+|[0-9A-F]{32,56})\b", "ID", text)
    text = re.sub(r"\s+", " ", text)
    return text[:most].strip().replace("|", "\\|")


HEAD = """# mqadmin against Totora

Written by `make mqadmin` (`tests/compat/mqadmin`); not to be changed by hand. The run starts a RocketMQ 5.3.3 (nameserver
and one broker) and a Totora cluster of three brokers, brings both to the same state and runs every command of RocketMQ's own
`mqadmin` 5.3.3 against both.
"""

DIFFERENCES = """## What differs, and why

- **No master and slaves.** Any replica answers any command for the whole group. `clusterList` shows the group address as id
  0 and every replica as another id; each row tells the figures of the whole group, so rows are
  not to be added up. Without a group address id 0 is who leads. What belongs to masters, slaves, controllers, epochs and
  their offsets is refused with that reason; see `totora cluster status`.
- **Consumed or not.** `queryMsgById`, `queryMsgByUniqueKey` and `queryMsgByOffset` compare id 0 of `clusterList` with the
  host in the message. With a group address they agree, whoever leads. Without one they agree for what was stored under the
  present leader; the rest is called NOT_CONSUME_YET, as by RocketMQ after a change of masters, and so is everything if the
  group address is a name with several IPv4 addresses. `consumerProgress` tells the truth in each case.
- **Settings.** `getBrokerConfig` prints Totora's names and RocketMQ's for them. `updateBrokerConfig` changes those few that can
  change while a broker runs; the others are in its file. No path, command or key can be changed by a tool.
- **From another machine** tools may create and change topics and consumer groups; what deletes, resets or configures is
  answered NO_PERMISSION until `admin.remote = all` is set. On the broker's machine everything may be done.
- **Stored properties.** RocketMQ stores MSG_REGION and TRACE_ON with each message; Totora only says them in its answers, so
  its stored messages are 39 bytes shorter.
- **A group that nobody made.** RocketMQ lists a consumer group named like the topic once a tool has asked for progress;
  Totora does not.
- **Not yet:** transactions, request-reply, POP, SQL92, users and access control.

mqadmin prints every refusal of a server inside a stack trace of its own, RocketMQ's too; the text is what matters.
"""


def _how_it_ended(one):
    if one.fault:
        return f"FAILED: {one.fault}"
    if one.ours.kind == "endless":
        return "runs until it is stopped, as with RocketMQ"
    if one.is_same:
        return "refused alike" if one.ours.kind == "refused" else "the same output"
    if one.ours.kind == one.theirs.kind:
        return "refused" if one.ours.kind == "refused" else "done"
    return one.ours.kind


def _compared_rows(run):
    rows = ["## Compared line by line", "",
            "Names, addresses, ids, positions and times are taken out first. A refusal must be answered by "
            "a refusal.", "", "| command | result | |", "|---|---|---|"]
    for one in run.compared:
        note = one.check.note if one.result == "ok" else f"{one.ours.kind}: {one.ours.text}"
        result = "the same" if one.result == "ok" else one.result
        rows.append(f"| `{_cell(one.check.label())}` | {result} | {_cell(note, 400)} |")
    return rows


def _other_rows(run):
    rows = ["## Every other command", "",
            "Each ends within 30 s, and with a text; the last column says how RocketMQ ended, where that "
            "differs.", "", "| command | what it is for | result | text | RocketMQ |",
            "|---|---|---|---|---|"]
    for one in run.other:
        if one.ours is None:
            rows.append(f"| `{one.name}` | {_cell(one.about)} | not run | | |")
            continue
        where = others.ELSEWHERE.get(one.name)
        about = one.about + (f" (speaks to {where})" if where else "")
        theirs = "" if one.theirs.kind == one.ours.kind else one.theirs.kind
        text = "" if one.ours.kind == "endless" else one.ours.text
        rows.append(f"| `{_cell(' '.join([one.name, *one.words]))}` | {_cell(about)} | "
                    f"{_how_it_ended(one)} | {_cell(text)} | {theirs} |")
    return rows


def _rate_rows(run):
    rows = ["## Rates under a steady load", "",
            "One producer, one consumer; of several rows or brokers the one that is farthest off.", "",
            "| column | server | printed | true | |", "|---|---|---|---|---|"]
    for rate in run.rates:
        value = "nothing" if rate.value is None else f"{rate.value:.1f}"
        # RocketMQ's own figures are shown, not judged.
        verdict = ("ok" if rate.ok() else "FAILED") if rate.server == "totora" else ""
        rows.append(f"| {rate.column} | {rate.server} | {value} | {rate.wanted:.1f} | {verdict} |")
    return rows


def _counts(run):
    """One sentence for who reads no table."""
    parts = []
    if run.compared:
        good = sum(one.result == "ok" for one in run.compared)
        parts.append(f"{good} of {len(run.compared)} outputs are the same")
    if run.other:
        good = sum(one.fault is None for one in run.other)
        parts.append(f"{good} of {len(run.other)} other runs end with a clear text")
    own = [rate for rate in run.rates if rate.server == "totora"]
    if own:
        parts.append(f"{sum(rate.ok() for rate in own)} of {len(own)} rates are true to 10 %")
    return "; ".join(parts) + "."


def write_markdown(run, path):
    lines = [HEAD, _counts(run), "", DIFFERENCES]
    for found, rows in ((run.compared, _compared_rows), (run.other, _other_rows),
                        (run.rates, _rate_rows)):
        if found:
            lines += [*rows(run), ""]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines).rstrip() + "\n")
