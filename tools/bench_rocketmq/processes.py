"""What /proc says of processes."""

import os

TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")


def cpu_us(pids):
    """User and system time of all of them so far, in microseconds."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])  # utime, stime: 14 and 15 of proc(5)
    return total * TICK_US


def rss_mb(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def anonymous_mb(pid):
    """Without the pages of mapped files, which the kernel can take back."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
    return 0.0
