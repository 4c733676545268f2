"""The result page."""

import datetime
import os
import platform
import statistics
import subprocess

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SINGLES_AIM = 40_000
BATCHES_AIM = 100_000


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT,
                              check=False).stdout.strip()
    except OSError:
        return ""


def head(work):
    """Machine and commit, as they are before the first run."""
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory = int(file.readline().split()[1]) / (1 << 20)
    disk = " ".join(output_of("findmnt", "-n", "-o", "FSTYPE,SOURCE", "--target", work).split())
    is_dirty = output_of("git", "status", "--porcelain", "--untracked-files=no") != ""
    return [
        f"Machine: {os.cpu_count()} cores ({model}), {memory:.0f} GiB, Linux {platform.release()}, "
        f"data on {disk}; load average at the start {os.getloadavg()[0]:.1f}.", "",
        f"Commit: {output_of('git', 'rev-parse', '--short=12', 'HEAD')}"
        f"{' with local changes' if is_dirty else ''}. "
        f"{output_of('sh', '-c', 'java -version 2>&1 | head -1')}."]


def spread(results, key, form="{:,.0f}"):
    values = [result[key] for result in results]
    low, high = form.format(min(values)), form.format(max(values))
    return f"{form.format(statistics.median(values))} ({low} to {high})"


def java_table(found):
    names = list(found)
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    rows = (("sends a second", "tps", "{:,.0f}"), ("mean of a send, ms", "average_ms", "{:.2f}"),
            ("server CPU, µs a message", "server_cpu_us", "{:.1f}"),
            ("client CPU, µs a message", "client_cpu_us", "{:.1f}"),
            ("RSS of all servers, MB", "rss_mb", "{:,.0f}"),
            ("of it anonymous, MB", "anonymous_mb", "{:,.0f}"),
            ("RSS of the largest, MB", "largest_mb", "{:,.0f}"),
            ("standstill of a producer after kill -9 of the leader, ms", "gap_ms", "{:,.0f}"),
            ("start to topic, s", "start_s", "{:.1f}"), ("sends that failed", "failed", "{:,.0f}"))
    for title, key, form in rows:
        lines.append(f"| {title} | " +
                     " | ".join(spread(found[name], key, form) for name in names) + " |")
    return lines


def ratios(found):
    """Of the systems' medians, RocketMQ's first."""
    names = list(found)
    if len(names) < 2 or not names[0].startswith("RocketMQ"):
        return []
    median = {name: {key: statistics.median(result[key] for result in found[name])
                     for key in ("tps", "server_cpu_us", "rss_mb", "gap_ms")} for name in names}
    base = median[names[0]]
    lines = [""]
    for name in names[1:]:
        mine = median[name]
        lines.append(
            f"- {name}: {mine['tps'] / base['tps']:.1f} times the sends, "
            f"1/{base['server_cpu_us'] / mine['server_cpu_us']:.1f} of the servers' CPU a message, "
            f"1/{base['rss_mb'] / mine['rss_mb']:.0f} of the memory, "
            f"1/{base['gap_ms'] / max(mine['gap_ms'], 1):.0f} of the standstill.")
    return lines


def native_table(native):
    lines = ["| | messages a second | CPU, µs a message: all | client | leader's and followers' "
             "| p50, p99 of a request, ms | aim |", "|---|---|---|---|---|---|---|"]
    aims = {"singles, 64 outstanding": SINGLES_AIM, "batches of 32": BATCHES_AIM}
    for name, results in native.items():
        for mode in dict.fromkeys(result["mode"] for result in results):
            of_mode = [result for result in results if result["mode"] == mode]
            best = statistics.median(result["messages_per_second"] for result in of_mode)
            cpu = [result["cpu_us_per_message"] for result in of_mode]
            brokers = ", ".join(
                f"{value:.1f}" for value in sorted(
                    (value for key, value in cpu[-1].items() if key.startswith("broker")
                     and value is not None), reverse=True))
            aim = aims.get(name)
            verdict = "" if aim is None else \
                f"≥ {aim:,}/s: " + ("met" if best >= aim else "**missed**")
            quantiles = "{:.1f}, {:.1f}".format(
                *(statistics.median(result["latency_us"][key] for result in of_mode) / 1000
                  for key in ("p50", "p99")))
            client = statistics.median(value["client"] for value in cpu)
            total = statistics.median(value["total"] for value in cpu)
            lines.append(f"| {name}; {mode} | {spread(of_mode, 'messages_per_second')} | "
                         f"{total:.1f} | {client:.1f} | {brokers} | {quantiles} | {verdict} |")
    return lines


def text(lines_of_head, options, found, native):
    today = datetime.date.today().isoformat()
    lines = [f"# The classic protocol, {today}", "", *lines_of_head, "",
             "Command: `make bench-rocketmq`. Three replicas of either system, its nameserver and "
             "the client on this one machine. Totora acknowledges what a majority has synced to "
             "disk, RocketMQ in DLedger mode what a majority holds in memory.", ""]
    if found:
        lines += ["## The benchmark producer of RocketMQ", "",
                  "`org.apache.rocketmq.example.benchmark.Producer -w 64 -s 1024` of "
                  f"rocketmq-example 5.5.0 on rocketmq-client 5.3.3: {options.seconds} s after the "
                  f"warm-up (until 30 s bring no more than 5 % above the 30 s before, at least 1 min, "
                  f"at most 5), {options.rounds} rounds in turns, each with an empty cluster; "
                  f"RocketMQ's brokers with a heap of {options.heap}. Then one producer that sends "
                  "and waits, and the leader is killed. Medians, lowest and highest round.", ""]
        lines += java_table(found) + ratios(found) + [""]
    if native:
        lines += ["## Our own client in the classic protocol", "",
                  f"`totora bench --protocol classic`, messages of 1 KiB, {options.native_s} s each, "
                  f"{options.native_rounds} rounds.", ""] + native_table(native) + [""]
    lines += ["What else runs on such a machine, the disk's syncs above all, moves every figure by "
              "a fifth from minute to minute: only ratios within one run mean something.", ""]
    return "\n".join(lines).rstrip() + "\n"
