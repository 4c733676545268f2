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
    def __init__(self, name, about, words, theirs, ours, fault):
        self.name = name
        self.about = about
        self.words = words
        self.theirs = theirs
        self.ours = ours
        self.fault = fault


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


def _cell(text):
    text = re.sub(r"\b(?:\d{1,3}\.){3}\d{1,3}:\d+\b", "ADDRESS", text)
    text = re.sub(r"/\S*/(mqadmin|totora)/", "", text)
    text = re.sub(r"\b(?:(?:\d{1,3}\.){3}\d{1,3}@\S+|[0-9A-F]{32,56})\b", "ID", text)
    text = re.sub(r"\s+", " ", text)
    return text[:160].replace("|", "\\|")


def write_markdown(run, path):
    lines = ["# mqadmin against Totora", "",
             "Written by `tests/compat/mqadmin`; mqadmin, nameserver and broker are RocketMQ 5.3.3.", ""]
    if run.compared:
        lines += ["## Compared with RocketMQ's own output", "",
                  "| command | result | |", "|---|---|---|"]
        for one in run.compared:
            note = one.check.note or ("" if one.result == "ok" else f"{one.ours.kind}: {one.ours.text}")
            lines.append(f"| `{_cell(one.check.label())}` | {one.result} | {_cell(note)} |")
    if run.other:
        lines += ["", "## Every other command", "",
                  "| command | what it does | Totora | text | RocketMQ alone |", "|---|---|---|---|---|"]
        for one in run.other:
            if one.ours is None:
                lines.append(f"| `{one.name}` | {_cell(one.about)} | not run | | |")
                continue
            where = others.ELSEWHERE.get(one.name)
            kind = one.ours.kind + (f" (asks {where})" if where else "")
            lines.append(f"| `{_cell(' '.join([one.name, *one.words]))}` | {_cell(one.about)} | "
                         f"{'FAILED: ' + one.fault if one.fault else kind} | {_cell(one.ours.text)} | "
                         f"{one.theirs.kind} |")
    if run.rates:
        lines += ["", "## Rates under a steady load", "",
                  "| column | server | printed | true | |", "|---|---|---|---|---|"]
        for rate in run.rates:
            value = "nothing" if rate.value is None else f"{rate.value:.1f}"
            lines.append(f"| {rate.column} | {rate.server} | {value} | {rate.wanted:.1f} | "
                         f"{'ok' if rate.ok() else 'FAILED'} |")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
