"""How much of a virtual machine's processor time its host gave to others."""


def read():
    """(stolen, all) ticks since the start of the machine, of all cores."""
    with open("/proc/stat", encoding="utf-8") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    return ticks[7], sum(ticks)


def describe_since(before):
    stolen, all_ticks = (now - then for now, then in zip(read(), before))
    share = 100 * stolen / max(1, all_ticks)
    return f"The machine's host took {share:.0f} % of the processor time while this was measured."
