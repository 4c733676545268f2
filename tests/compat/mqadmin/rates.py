"""Columns with rates, read while a steady load runs."""

import re
import time

from normalise import table

TOPIC = "steady"
GROUP = "steady-group"
TOLERANCE = 0.10
# statsAll's minute is known after six samples of ten seconds.
WARM_SECONDS = 78
# Time for the commands that read, while the load goes on.
READ_SECONDS = 75


class Rate:
    """`values`: what was printed, by each row and each broker that was asked;
    every replica of Totora tells the rate of its group. The worst counts."""

    def __init__(self, server, column, values, wanted):
        self.server = server
        self.column = column
        self.value = max(values, key=lambda value: abs(value - wanted)) if values else None
        self.wanted = wanted

    def ok(self):
        return self.value is not None and abs(self.value - self.wanted) <= TOLERANCE * self.wanted


def begin(stage, rate, warm_seconds):
    stage.say(f"producer load-{stage.name}")
    stage.say(f"follow {GROUP} {TOPIC}")
    stage.say(f"load {TOPIC} {rate} {warm_seconds + READ_SECONDS}")
    return time.monotonic()


def _first_number(text):
    match = re.match(r"\s*([\d.]+)", text or "")
    return float(match.group(1)) if match else None


def read(server, tool):
    """name of column -> figures; none where the tool printed none."""
    found = {}
    listed = tool.run(["clusterList"]).out
    loads = re.findall(r"([\d.]+)\(\S+,\S+ms\)\s+([\d.]+)\(", listed)
    found["clusterList InTPS"] = [float(a) for a, _ in loads]
    found["clusterList OutTPS"] = [float(b) for _, b in loads]
    status = [tool.run(["brokerStatus", "-b", address]).out for address in server.addresses]
    for key in ("putTps", "getTransferredTps"):
        found[f"brokerStatus {key}"] = [_first_number(value) or 0.0 for text in status
                                        for value in re.findall(rf"^{key}\s*: (.*)$", text, re.M)]
    _, rows = table(tool.run(["statsAll", "-t", TOPIC]).out)
    row = next((row for row in rows if len(row) >= 5 and GROUP in row), None)
    found["statsAll InTPS"] = [float(row[3])] if row else []
    found["statsAll OutTPS"] = [float(row[4])] if row else []
    return found


def measure(sides, rate, warm_seconds):
    """`sides`: (server, stage, tool). Returns Rate objects for each server, one
    server after the other: two loads would share the machine."""
    rates = []
    for server, stage, tool in sides:
        tool.run(["updateTopic", "-c", server.cluster, "-t", TOPIC, "-r", "4", "-w", "4"])
        began = begin(stage, rate, warm_seconds)
        time.sleep(max(0.0, began + warm_seconds - time.monotonic()))
        reading = read(server, tool)
        words = stage.say("loaded", 240)[-1].split()
        sent, failed, ms = int(words[1]), int(words[2]), int(words[3])
        if failed:
            print(f"mqadmin: {server.name}: {failed} sends of the load failed, {sent} did not",
                  flush=True)
        achieved = sent * 1000 / max(ms, 1)
        rates += [Rate(server.name, column, value, achieved) for column, value in reading.items()]
    return rates
