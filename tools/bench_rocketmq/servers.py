"""The two systems, each as three replicas and a nameserver on loopback."""

import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import time

LOGBACK = '<configuration><root level="OFF"/></configuration>\n'
# What RocketMQ needs on JDK 17.
OPENS = [f"--add-opens=java.base/{package}=ALL-UNNAMED"
         for package in ("java.nio", "sun.nio.ch", "java.lang", "java.util")]
OPENS.append("--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED")
START_S = 90


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def broker_ports(count):
    """Ports that are free together with those two below and one above, which
    RocketMQ's brokers also take."""
    ports = []
    while len(ports) < count:
        port = random.randrange(20000, 32000)
        if all(abs(port - other) > 3 for other in ports) and all(map(is_free, range(port - 2,
                                                                                    port + 2))):
            ports.append(port)
    return ports


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def route(namesrv, topic):
    """The nameserver's answer to code 105, as text: RocketMQ's is no JSON."""
    host, port = namesrv.rsplit(":", 1)
    header = json.dumps({"code": 105, "language": "OTHER", "version": 479, "opaque": 1, "flag": 0,
                         "extFields": {"topic": topic}}).encode()
    frame = struct.pack(">II", 4 + len(header), len(header)) + header
    with socket.create_connection((host, int(port)), timeout=2) as peer:
        peer.sendall(frame)
        received = b""
        while len(received) < 4 or len(received) < 4 + struct.unpack(">I", received[:4])[0]:
            more = peer.recv(65536)
            if not more:
                raise OSError("the nameserver closed the connection")
            received += more
    header_size = struct.unpack(">I", received[4:8])[0] & 0xFFFFFF
    if json.loads(received[8:8 + header_size])["code"] != 0:
        return ""
    return received[8 + header_size:].decode()


class RocketMq:
    """RocketMQ 5.3.3 in DLedger mode, as distribution/conf/dledger sets it up."""

    name = "RocketMQ 5.3.3 DLedger"

    def __init__(self, lib, folder, heap):
        self._classes = os.path.join(lib, "*")
        self._folder = folder
        self._heap = heap
        self._processes = {}  # By name.
        self._ports = {}  # Of brokers, by name.
        self.namesrv = f"127.0.0.1:{free_port()}"

    def java(self, *args, heap="256m", **options):
        command = ["java", f"-Xms{heap}", f"-Xmx{heap}", *OPENS, f"-Drocketmq.home.dir={self._folder}",
                   f"-Drmq.logback.configurationFile={self._folder}/logback.xml",
                   f"-Duser.home={self._folder}", "-cp", self._classes, *args]
        return subprocess.Popen(command, cwd=self._folder, **options)

    def start(self, topic):
        os.makedirs(os.path.join(self._folder, "conf"))
        for place in ("logback.xml", "conf/rmq.namesrv.logback.xml", "conf/rmq.broker.logback.xml",
                      "conf/rmq.tools.logback.xml"):
            self._write(place, LOGBACK)
        self._write("namesrv.conf", f"listenPort={self.namesrv.rsplit(':', 1)[1]}\n"
                    f"kvConfigPath={self._folder}/kv.json\n"
                    f"configStorePath={self._folder}/namesrv.properties\n")
        self._start("namesrv", "256m", "org.apache.rocketmq.namesrv.NamesrvStartup", "-c",
                    f"{self._folder}/namesrv.conf")
        peers = ";".join(f"n{i}-127.0.0.1:{free_port()}" for i in range(3))
        for i, port in enumerate(broker_ports(3)):
            name = f"broker-{i}"
            self._ports[name] = port
            self._write(f"{name}.conf", "\n".join([
                "brokerClusterName=RaftCluster", "brokerName=RaftNode00", "brokerIP1=127.0.0.1",
                f"listenPort={self._ports[name]}", f"namesrvAddr={self.namesrv}",
                f"storePathRootDir={self._folder}/{name}",
                f"storePathCommitLog={self._folder}/{name}/commitlog",
                "enableDLegerCommitLog=true", "dLegerGroup=RaftNode00", f"dLegerPeers={peers}",
                f"dLegerSelfId=n{i}", "sendMessageThreadPoolNums=16"]) + "\n")
            self._start(name, self._heap, "org.apache.rocketmq.broker.BrokerStartup", "-c",
                        f"{self._folder}/{name}.conf")
        deadline = time.monotonic() + START_S
        while self._leader_port("TBW102") is None:
            self._check(deadline, "no leader registered")
        # Its answer says little: the route is what counts.
        while not re.search(r'"writeQueueNums":8', route(self.namesrv, topic)):
            self._check(deadline, f"no topic {topic}")
            self.java("org.apache.rocketmq.tools.command.MQAdminStartup", "updateTopic", "-n",
                      self.namesrv, "-c", "RaftCluster", "-t", topic, "-r", "8", "-w", "8",
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait()

    def _write(self, name, text):
        with open(os.path.join(self._folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def _start(self, name, heap, *args):
        with open(os.path.join(self._folder, f"{name}.out"), "wb") as out:
            self._processes[name] = self.java(*args, heap=heap, stdout=out, stderr=out)

    def _check(self, deadline, what):
        for name, process in self._processes.items():
            if process.poll() is not None:
                with open(os.path.join(self._folder, f"{name}.out"), encoding="utf-8") as file:
                    raise RuntimeError(f"{name} ended: {file.read()[-2000:]}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"RocketMQ: {what} after {START_S} s")
        time.sleep(0.3)

    def _leader_port(self, topic):
        try:
            found = re.search(r'[{,]"?0"?:"127\.0\.0\.1:(\d+)"', route(self.namesrv, topic))
        except OSError:
            return None
        return int(found.group(1)) if found else None

    def pids(self):
        return {name: process.pid for name, process in self._processes.items()
                if process.poll() is None}

    def kill_leader(self, topic):
        port = self._leader_port(topic)
        for name, broker_port in self._ports.items():
            if broker_port == port:
                self._processes[name].kill()
                self._processes[name].wait()
                return
        raise RuntimeError(f"RocketMQ: nobody leads ({port})")

    def stop(self):
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
        for process in self._processes.values():
            process.wait()


class Totora:
    """`totora local`, with the group address that it has by default, or without."""

    def __init__(self, binary, folder, flags=()):
        self.name = "Totora" + (", no group address" if "--no-group-address" in flags else "")
        self._binary = binary
        self._folder = folder
        self._flags = list(flags)
        self.namesrv = ""

    def run(self, *args, seconds=120):
        done = subprocess.run([self._binary, *args, "--dir", self._folder, "--output", "json"],
                              capture_output=True, text=True, timeout=seconds, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"totora {' '.join(args)}: {done.stderr or done.stdout}")
        return done.stdout

    def start(self, topic):
        self.run("local", "start", "--brokers", "3", *self._flags)
        self.namesrv = self._status()["namesrv"]
        self.run("topic", "create", topic, "--queues", "8")

    def _status(self):
        return json.loads(self.run("local", "status"))

    def bench(self, kind, *flags, seconds):
        text = self.run("bench", kind, *flags, "--duration", f"{seconds}s",
                        seconds=60 + 2 * seconds)
        return json.loads(text.strip().splitlines()[-1])

    def pids(self):
        with open(os.path.join(self._folder, "cluster.json"), encoding="utf-8") as file:
            cluster = json.load(file)
        found = {"namesrv": cluster["namesrv"]["pid"]}
        for broker in cluster["brokers"]:
            found[broker["name"]] = broker["pid"]
        return {name: pid for name, pid in found.items() if os.path.exists(f"/proc/{pid}/exe")}

    def kill_leader(self, _topic):
        status = self._status()
        for broker in status["brokers"]:
            if broker["id"] == status["leader"]:
                os.kill(broker["pid"], signal.SIGKILL)
                return
        raise RuntimeError("Totora: nobody leads")

    def stop(self):
        self.run("local", "stop")
