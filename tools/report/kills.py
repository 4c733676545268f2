"""Leaders killed while three clients send: ours inside the kill test, the
official Java and Go ones beside it."""

import json
import os
import subprocess
import time

import figures

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMPAT = os.path.join(ROOT, "tests", "compat")
TOPIC = "bystander"  # crash_run.cc makes it.
INTERVAL_MS = 5
MESSAGES_MAX = 400_000
START_S = 90
ELECTION_AIM_MS = 150
GROUP_GAP_AIM_MS = 500


def client_command(language, endpoint, plan, folder):
    args = ["send", "--endpoint", endpoint, "--topic", TOPIC, "--plan", plan, "--seed", "report",
            "--interval-ms", str(INTERVAL_MS)]
    if language == "go":
        return [os.path.join(COMPAT, "go", "bin", "compat"), *args]
    target = os.path.join(COMPAT, "java", "target")
    classpath = os.path.join(target, "classes") + ":" + os.path.join(target, "lib", "*")
    return ["java", "-Xmx512m", "-XX:+UseSerialGC", f"-Drocketmq.log.root={folder}", "-cp",
            classpath, "totora.compat.Main", *args]


def is_built(language):
    if language == "go":
        return os.path.exists(os.path.join(COMPAT, "go", "bin", "compat"))
    return os.path.isdir(os.path.join(COMPAT, "java", "target", "classes"))


def write_plan(path):
    with open(path, "w", encoding="utf-8") as file:
        for index in range(MESSAGES_MAX):
            file.write(f"{index}\t1024\treport\tkey-{index}\tindex={index}\n")


class Client:
    """An official client that sends one message after the other until it is stopped."""

    def __init__(self, language, endpoint, plan, folder):
        self.language = language
        self._path = os.path.join(folder, f"{language}.jsonl")
        self._out = open(self._path, "wb")
        self._errors = open(os.path.join(folder, f"{language}.stderr"), "wb")
        self._process = subprocess.Popen(
            client_command(language, endpoint, plan, folder), stdin=subprocess.DEVNULL,
            stdout=self._out, stderr=self._errors,
            env={**os.environ, "rocketmq.client.logRoot": folder, "LC_ALL": "C.UTF-8"})

    def events(self):
        result = []
        with open(self._path, encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue  # The library's own chatter, or a line cut by the end.
                if isinstance(event, dict) and "event" in event:
                    result.append(event)
        return result

    def wait_first_sent(self):
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if any(event["event"] == "sent" for event in self.events()):
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.2)
        raise RuntimeError(f"the {self.language} client sends nothing: see {self._path}")

    def stop(self):
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._out.close()
        self._errors.close()


def wait_json(path, process, state, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                found = json.load(file)
            if found["state"] == state:
                return found
        if process.poll() is not None and not os.path.exists(path):
            break
        if process.poll() not in (None, 0) and state == "done":
            break
        time.sleep(0.1)
    raise RuntimeError(f"the kill test did not get to '{state}'; see its output")


def run(options, mode, seed, work):
    """One series of kills; `mode` is "group" or "direct"."""
    folder = os.path.join(work, f"kills-{mode}")
    os.makedirs(folder)
    result_path = os.path.join(folder, "kills.json")
    go_path = os.path.join(folder, "go")
    command = [os.path.join(options.build, "bin", "totora_integration_kill_test"),
               "--totora", os.path.join(options.build, "bin", "totora"), "--measured",
               "--kills", str(options.kills), "--all-kills", "0", "--acks", "0",
               "--producers", "8", "--pace-us", str(INTERVAL_MS * 1000), "--seed", str(seed),
               "--json", result_path, "--wait-for", go_path]
    if mode == "direct":
        command.append("--direct")
    elif options.manual:
        command.append("--manual")
    clients = []
    with open(os.path.join(folder, "kill_test.out"), "wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        try:
            ready = wait_json(result_path, process, "ready", START_S)
            plan = os.path.join(folder, "plan.tsv")
            write_plan(plan)
            for language in options.languages:
                clients.append(Client(language, ready["access_point"], plan, folder))
            for client in clients:
                client.wait_first_sent()
            with open(go_path, "w", encoding="utf-8"):
                pass
            result = wait_json(result_path, process, "done", 60 + 30 * options.kills)
        finally:
            for client in clients:
                client.stop()
            if process.poll() is None:
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
    result["clients"] = {client.language: measure(client.events(), result["kills"])
                         for client in clients}
    return result


def measure(events, kills):
    acknowledged = [event["ms"] for event in events if event["event"] == "sent"]
    return {"gaps": [figures.gap_ms(acknowledged, kill["wall_ms"], kill["wall_ms"] + kill["down_ms"])
                     for kill in kills],
            "sent": len(acknowledged),
            "failed": sum(event["event"] == "send_failed" for event in events)}


def describe(mode, result):
    kills = result["kills"]
    aim = GROUP_GAP_AIM_MS if mode == "group" else None
    where = "the group address" if mode == "group" else "direct addresses"
    lines = [f"### Clients at {where}, {len(kills)} kills of the leader, seed {result['seed']}", "",
             "| | median ms | max ms | within the aim |", "|---|---|---|---|",
             figures.summary_row(f"kill to new leader (aim {ELECTION_AIM_MS})",
                                 [kill["elected_ms"] for kill in kills], ELECTION_AIM_MS),
             figures.summary_row("kill to connection reset, part of the above",
                                 [kill["reset_ms"] for kill in kills]),
             figures.summary_row("write gap, our client, longest of 8 producers",
                                 [kill["gap_max_ms"] for kill in kills], aim),
             figures.summary_row("write gap, our client, median of 8 producers",
                                 [kill["gap_median_ms"] for kill in kills], aim)]
    for language, found in result["clients"].items():
        lines.append(figures.summary_row(f"write gap, official {language.capitalize()} client",
                                         found["gaps"], aim))
    lines += ["", f"Our client: {result['verdict'].splitlines()[0]}."]
    for language, found in result["clients"].items():
        lines.append(f"{language.capitalize()}: {found['sent']} sends acknowledged, "
                     f"{found['failed']} failed visibly.")
    return lines
