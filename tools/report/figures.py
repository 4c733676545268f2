"""Numbers from events: pure functions, so that figures_test.py can check them."""

import statistics


def gap_ms(acknowledged_ms, from_ms, to_ms):
    """The longest time between two acknowledgements in a row that overlaps
    [from_ms, to_ms]; None if there was none after from_ms."""
    times = sorted(acknowledged_ms)
    longest = None
    for before, after in zip(times, times[1:]):
        if after >= from_ms and before <= to_ms:
            longest = max(longest or 0, after - before)
    return longest


def summary(values, aim=None):
    """Median, maximum and how many are within the aim. None is a value that
    was never reached: it counts, and no median hides it."""
    reached = [value for value in values if value is not None and value >= 0]
    missing = len(values) - len(reached)
    text = {"count": len(values), "missing": missing}
    if reached:
        text["median"] = statistics.median(reached)
        text["max"] = max(reached)
    if aim is not None:
        text["within"] = sum(value <= aim for value in reached)
    return text


def milliseconds(value):
    return "–" if value is None or value < 0 else f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def summary_row(name, values, aim=None):
    found = summary(values, aim)
    cells = [name, milliseconds(found.get("median")),
             "never" if found["missing"] else milliseconds(found.get("max"))]
    cells.append(f"{found['within']} of {found['count']}" if aim is not None else
                 f"– ({found['count']})")
    return "| " + " | ".join(cells) + " |"
