"""Takes out of mqadmin's text what must differ between two servers."""

import re

_ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}:\d+\b")
_CLIENT_ID = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}@(stage-[\w-]+|\S+)")
_TIMES = [
    re.compile(r"\b\d{4}-\d\d-\d\d[ #]\d\d:\d\d:\d\d(?:[,.:]\d{1,3})?"),
    re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \w+ \d{4}"),
    re.compile(r"\b1[6-9]\d{11}\b"),  # Milliseconds since 1970.
    re.compile(r"\b20\d{12,15}\b"),
]
_HEX_ID = re.compile(r"\b[0-9A-F]{32}(?:[0-9A-F]{24})?\b")


class Names:
    """What one server calls things, and what both shall be called. `servers`
    are the server and, if taps are used, its tapped form."""

    def __init__(self, servers, stage):
        self._plain = {}
        for server in servers:
            for address in server.addresses:
                self._plain[address] = "BROKER-ADDRESS"
            self._plain[server.namesrv] = "NAMESRV-ADDRESS"
        self._words = {server.cluster: "CLUSTER", server.broker: "BROKER"}
        for one in stage.sent.values():
            self._plain[one.unique_id] = f"UNIQUE-ID-{one.number}"
            self._plain[one.offset_id] = f"OFFSET-ID-{one.number}"

    def normalise(self, text):
        """One line per line, spaces collapsed, empty lines gone."""
        for name in sorted(self._plain, key=len, reverse=True):
            text = text.replace(name, self._plain[name])
        for name, common in self._words.items():
            text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", common, text)
        text = _CLIENT_ID.sub(lambda m: "CLIENT@" + m.group(1) if m.group(1).startswith("stage-")
                              else "CLIENT", text)
        text = _ADDRESS.sub("PEER", text)
        text = _HEX_ID.sub("ID", text)
        for pattern in _TIMES:
            text = pattern.sub("TIME", text)
        text = re.sub(r"(/tmp/rocketmq/msgbodys/)\S+", r"\1ID", text)
        text = re.sub(r"(?i)((?:commitlog ?offset)[:=] *)\d+", r"\1N", text)
        text = text.replace("MessageTrack [", "\nMessageTrack [")  # Some commands end no lines.
        lines = (re.sub(r"[ \t]+", " ", line).strip() for line in text.splitlines())
        return [_sorted_properties(_without_answers_fields(line)) for line in lines if line]


# RocketMQ stores with each message what it also says in every answer to a send. Totora only says it.
_STORED_REGION = "MSG_REGION\1DefaultRegion\2TRACE_ON\1true\2"


def _without_answers_fields(line):
    shorter = re.sub(r", MSG_REGION=DefaultRegion(?=[,}])|, TRACE_ON=true(?=[,}])", "", line)
    if shorter == line:
        return line
    return re.sub(r"(?<=storeSize=)\d+", lambda m: str(int(m.group()) - len(_STORED_REGION)), shorter)


def _sorted_properties(line):
    """Java prints maps in an order of its own: {b=2, a=1} becomes {a=1, b=2}."""
    def inner(match):
        return "{" + ", ".join(sorted(match.group(1).split(", "))) + "}"
    return re.sub(r"\{([^{}]*=[^{}]*)\}", inner, line)


def table(text):
    """The rows of a table whose header begins with '#', as lists of words:
    (header, rows). Other lines are left out."""
    header, rows = None, []
    for line in text.splitlines():
        words = re.split(r"\s{2,}|\t", line.strip())
        if line.startswith("#") and header is None:
            header = [word for word in re.split(r"\s+(?=#)", line.strip())]
        elif header is not None and line.strip():
            rows.append(words)
    return header, rows
