"""Runs mqadmin as a user does, one process a command, and says how it ended."""

import os
import re
import subprocess
import time

from servers import HERE, JARS, java

LIMIT_SECONDS = 30
MAIN = "org.apache.rocketmq.tools.command.MQAdminStartup"
# A hundred starts of a JVM: loading the classes from an archive saves 40 % of each.
ARCHIVE = os.path.join(HERE, "target", "mqadmin.jsa")

# A command that ends in one of these has met something that it could not read.
BROKEN = {"NullPointerException", "JSONException", "ClassCastException", "NumberFormatException",
          "IndexOutOfBoundsException", "ArrayIndexOutOfBoundsException",
          "StringIndexOutOfBoundsException", "IllegalArgumentException", "NoSuchElementException",
          "BufferUnderflowException", "ConcurrentModificationException", "NoClassDefFoundError",
          "RemotingCommandException", "ExceptionInInitializerError", "StackOverflowError",
          "RemotingTimeoutException", "RemotingSendRequestException"}

# mqadmin gives up after 3 to 5 s: on a busy machine that says nothing, so such a run is repeated once.
IMPATIENT = {"RemotingTimeoutException", "RemotingConnectException", "RemotingSendRequestException"}

_THROWN = re.compile(r"^(?:Caused by: |Exception in thread \"[^\"]*\" )?"
                     r"((?:[a-z]\w*\.)+[A-Z][\w$]*(?:Exception|Error))(?:: (.*))?$", re.M)


class Outcome:
    """What one run of a command printed, and how it ended.

    kind: "ok", "refused" (a clear text of the server's or the tool's), "usage"
    (its help), "broken" (a stack trace of something that it could not read),
    "endless" (still running at the limit)."""

    def __init__(self, argv, out, err, status, seconds, in_time):
        self.argv = argv
        self.out = out
        self.err = err
        self.status = status
        self.seconds = seconds
        self.in_time = in_time
        self.kind, self.text = self._judge()

    def impatient(self):
        return any(name.rsplit(".", 1)[1] in IMPATIENT for name, _ in _THROWN.findall(self.all))

    @property
    def all(self):
        return self.out.rstrip("\n") + "\n" + self.err

    def _judge(self):
        thrown = [(name.rsplit(".", 1)[1].split("$")[-1], text.strip())
                  for name, text in _THROWN.findall(self.all)]
        broken = next((pair for pair in thrown if pair[0] in BROKEN), None)
        if broken:
            return "broken", f"{broken[0]}: {broken[1]}".strip(": ")
        if not self.in_time:
            return "endless", f"still running after {self.seconds:.0f} s: {self.first_line()}"
        if thrown:
            coded = [pair for pair in thrown if "CODE:" in pair[1]]
            name, text = (coded or thrown)[-1]
            return "refused", clean(text) or name
        if self.all.lstrip().startswith("usage: mqadmin"):
            return "usage", self.first_line()
        return "ok", self.first_line()

    def first_line(self):
        lines = [line.strip() for line in self.all.splitlines() if line.strip()]
        shown = [line for line in lines if not line.startswith("#")] or lines
        return shown[0] if shown else "(nothing printed)"


def clean(text):
    """A client's text without the links that it appends."""
    text = re.sub(r"\s*(For more information, please visit the url|See https?:).*", "", text)
    return re.sub(r" BROKER: \S+$", "", text).strip()


def make_archive(server, folder):
    """Writes the archive of classes, if there is none of these jars."""
    if os.path.exists(ARCHIVE):
        return
    subprocess.run([*java(folder, f"-XX:ArchiveClassesAtExit={ARCHIVE}"), "-cp", JARS, MAIN,
                    "clusterList", "-n", server.namesrv], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=600, check=False,
                   env={**os.environ, "ROCKETMQ_HOME": folder})


class Tool:
    """mqadmin against one server."""

    def __init__(self, server, folder):
        self._server = server
        self._home = os.path.join(folder, "mqadmin-home")
        os.makedirs(os.path.join(self._home, "conf"), exist_ok=True)

    def run(self, argv, seconds=LIMIT_SECONDS, namesrv=None):
        command = [*java(self._home, "-Xmx256m", "-Xshare:auto",
                         f"-XX:SharedArchiveFile={ARCHIVE}"), "-cp", JARS, MAIN, *argv,
                   *([] if "-n" in argv else ["-n", namesrv or self._server.namesrv])]
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, cwd=self._home,
                                   env={**os.environ, "ROCKETMQ_HOME": self._home, "TZ": "UTC"})
        in_time = True
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            in_time = False
            process.kill()
            out, err = process.communicate()
        return Outcome(argv, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"),
                       process.returncode, time.monotonic() - began, in_time)

    def names(self):
        """Every command, with its description, as mqadmin itself lists them."""
        command = [*java(self._home, "-Xshare:auto"), "-cp", JARS, MAIN]
        text = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                              env={**os.environ, "ROCKETMQ_HOME": self._home}).stdout
        return dict(re.findall(r"^   (\w+)\s+(.*?)\.?$", text, re.M))
