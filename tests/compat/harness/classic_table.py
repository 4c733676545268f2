"""What the runs showed: lines for a terminal, and one row a client in Markdown."""


class Table:
    """What was promised and how it went. Rows of kills have the figures of
    classic_kill.Figures, those of others have None."""

    def __init__(self):
        self.rows = []

    def add(self, client, scenario, complaints, note="", figures=None):
        self.rows.append((client, scenario, not complaints, note, figures))
        for complaint in complaints:
            print(f"compat: {client} {scenario}: {complaint}", flush=True)

    def passed(self):
        return bool(self.rows) and all(ok for _, _, ok, _, _ in self.rows)

    def print(self):
        print(f"\n{'client':<12} {'scenario':<48} {'result':<7} note")
        for client, scenario, ok, note, _ in self.rows:
            print(f"{client:<12} {scenario:<48} {'ok' if ok else 'FAILED':<7} {note}")
        passed = sum(row[2] for row in self.rows)
        print(f"\n{passed} passed, {len(self.rows) - passed} failed", flush=True)

    def markdown(self, clients):
        """`clients`: {name: (about, aims at the group address, at direct ones)}.
        A row for each client; then whoever else is in the table; then what failed."""
        lines = [
            "| client | scenarios | producer, group | consumer, group | producer, direct "
            "| consumer, direct | sent again / stored, each kill |",
            "|---|---|---|---|---|---|---|"]
        for name, (about, group, direct) in clients.items():
            cells = [f"{name} ({about})", self._scenarios(name)]
            for mode, aims in (("group", group), ("direct", direct)):
                kills = self._kills(name, mode)
                cells += [_standstills(kills, part, aims[part]) for part in ("producer", "consumer")]
            kills = self._kills(name, "group") + self._kills(name, "direct")
            cells.append(", ".join(f"{f.resent} / {f.stored}" if f else "–"
                                   for _, f in kills) or "–")
            lines.append("| " + " | ".join(cells) + " |")
        others = dict.fromkeys(row[0] for row in self.rows if row[0] not in clients)
        lines += [f"\n{name}: {self._scenarios(name)}" for name in others]
        lines += [f"\nFAILED: {client} {scenario}" for client, scenario, ok, _, _ in self.rows
                  if not ok]
        return "\n".join(lines) + "\n"

    def _scenarios(self, client):
        results = [row[2] for row in self.rows
                   if row[0] == client and not row[1].startswith("kill-")]
        return f"{sum(results)} of {len(results)}" if results else "–"

    def _kills(self, client, mode):
        return [(row[2], row[4]) for row in self.rows
                if row[0] == client and row[1].startswith(f"kill-{mode}")]


def _standstills(kills, part, aim_s):
    """In the order of the kills, s; bold is what missed the aim."""
    cells = []
    for ok, figures in kills:
        if figures is None:
            cells.append("**FAILED**")
            continue
        seconds = figures.standstill_s[part]
        cell = f"{seconds:.1f}" if seconds <= aim_s else f"**{seconds:.1f}**"
        cells.append(cell if ok else cell + " FAILED")
    return f"{', '.join(cells)} (≤ {aim_s:g})" if cells else "–"
