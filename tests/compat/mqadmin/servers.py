"""The two servers that are compared: RocketMQ itself and a Totora cluster.

    servers.py --work DIR --bin DIR     starts both, prints what main.py --attach takes, stops them
                                        when standard input closes"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "harness"))

from client import Failure  # noqa: E402
from cluster import Cluster  # noqa: E402

JARS = os.path.join(HERE, "target", "lib", "*")
# What `totora local` calls its own; RocketMQ gets the same names, so that what contains them (routes, sizes of
# stored messages, the order of hash sets in the tool) is equal.
CLUSTER_NAME = "totora-local"
BROKER_NAME = "broker-a"


def java(home, *options):
    """A Java command line whose logs go below `home`."""
    return ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Duser.home={home}",
            "-Dfile.encoding=UTF-8",
            f"-Drmq.logback.configurationFile={os.path.join(HERE, 'logback.xml')}", *options]


def free_ports(count, together=False):
    """Ports that the kernel chose. With `together` the first and the one two
    below it are both free: RocketMQ opens its second listener there."""
    while True:
        sockets = []
        try:
            ports = []
            for _ in range(count):
                one = socket.socket()
                sockets.append(one)
                one.bind(("127.0.0.1", 0))
                ports.append(one.getsockname()[1])
            if together:
                below = socket.socket()
                sockets.append(below)
                below.bind(("127.0.0.1", ports[0] - 2))
            return ports
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()


def wait_open(address, seconds, process, log):
    host, port = address.rsplit(":", 1)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failure(f"{log} ended with status {process.returncode}: {tail(log)}")
        try:
            socket.create_connection((host, int(port)), 1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise Failure(f"nothing listens at {address} after {seconds} s: {tail(log)}")


def tail(path):
    with open(path, "rb") as file:
        return file.read()[-1500:].decode("utf-8", "replace").strip()


class Rocketmq:
    """A nameserver and one broker of RocketMQ, as its own scripts start them
    but with small heaps and files, on loopback."""

    name = "rocketmq"

    def __init__(self, folder):
        self._folder = folder
        self._processes = []
        self.cluster = CLUSTER_NAME
        self.broker = BROKER_NAME
        self.namesrv = None
        self.address = None
        self.addresses = []

    def _spawn(self, main, heap, args):
        log = os.path.join(self._folder, main.rsplit(".", 1)[1] + ".out")
        home = os.path.join(self._folder, "home")
        os.makedirs(os.path.join(home, "conf"), exist_ok=True)
        with open(log, "wb") as out:
            process = subprocess.Popen(
                [*java(home, f"-Xms{heap}", f"-Xmx{heap}",
                       "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
                       "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED"),
                 "-cp", JARS, main, *args],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env={**os.environ, "ROCKETMQ_HOME": home})
        self._processes.append(process)
        return process, log

    def start(self):
        shutil.rmtree(self._folder, ignore_errors=True)
        os.makedirs(self._folder)
        (namesrv_port,) = free_ports(1)
        self.namesrv = f"127.0.0.1:{namesrv_port}"
        config = self._write("namesrv.conf", {
            "listenPort": namesrv_port,
            "kvConfigPath": os.path.join(self._folder, "kvConfig.json"),
        })
        process, log = self._spawn("org.apache.rocketmq.namesrv.NamesrvStartup", "256m",
                                   ["-c", config])
        wait_open(self.namesrv, 60, process, log)

        listen, ha = free_ports(2, together=True)
        store = os.path.join(self._folder, "store")
        config = self._write("broker.conf", {
            "brokerClusterName": self.cluster,
            "brokerName": self.broker,
            "brokerId": 0,
            "brokerIP1": "127.0.0.1",
            "brokerIP2": "127.0.0.1",
            "listenPort": listen,
            "haListenPort": ha,
            "namesrvAddr": self.namesrv,
            "autoCreateTopicEnable": "true",
            "autoCreateSubscriptionGroup": "true",
            "brokerRole": "ASYNC_MASTER",
            "flushDiskType": "ASYNC_FLUSH",
            "storePathRootDir": store,
            "storePathCommitLog": os.path.join(store, "commitlog"),
            "mappedFileSizeCommitLog": 64 << 20,
            "diskMaxUsedSpaceRatio": 95,
            "maxIndexNum": 100000,
            "maxHashSlotNum": 20000,
            "timerWheelEnable": "true",
            "timerFlushIntervalMs": 600000,  # Half a core, otherwise.
        })
        process, log = self._spawn("org.apache.rocketmq.broker.BrokerStartup", "512m",
                                   ["-c", config])
        self.address = f"127.0.0.1:{listen}"
        self.addresses = [self.address]
        wait_open(self.address, 120, process, log)

    def _write(self, name, settings):
        path = os.path.join(self._folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{key}={value}\n" for key, value in settings.items())
        return path

    def stop(self):
        for process in reversed(self._processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in reversed(self._processes):
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes = []


class Running:
    """A server that somebody else started and stops."""

    def __init__(self, about):
        self.name = about["name"]
        self.cluster = about["cluster"]
        self.broker = about["broker"]
        self.namesrv = about["namesrv"]
        self.address = about["address"]
        self.addresses = about["addresses"]

    def start(self):
        pass

    def stop(self):
        pass


class Tapped:
    """A server as seen through taps on the wire; everything the tool prints names the taps."""

    def __init__(self, server, taps):
        self.name = server.name
        self.cluster = server.cluster
        self.broker = server.broker
        self.namesrv = taps.address
        self.address = taps.tap_of(server.address)
        self.addresses = [taps.tap_of(address) for address in server.addresses]


class Totora:
    """Three brokers of one group and a nameserver."""

    name = "totora"

    def __init__(self, binary, folder):
        self._cluster = Cluster(binary, folder)
        self._folder = folder
        self.cluster = None
        self.broker = None
        self.namesrv = None
        self.address = None
        self.addresses = []

    def start(self):
        if os.path.isdir(self._folder):  # Left behind by a run that was killed.
            self.stop()
            shutil.rmtree(self._folder)
        self._cluster.start()
        status = self._cluster.status()
        self.namesrv = status["namesrv"]
        self.address = status["group_address"]
        self.addresses = [self.address, *(broker["public"] for broker in status["brokers"])]
        with open(os.path.join(self._folder, "cluster.json"), encoding="utf-8") as file:
            about = json.load(file)
        self.cluster = about["cluster_name"]
        self.broker = about["broker_name"]
        # A broker is ready once it serves; the classic listeners are of them.
        self._cluster.wait_whole(60)

    def stop(self):
        try:
            self._cluster.stop()
        except Failure as failure:
            print(f"mqadmin: {failure}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--bin", required=True)
    options = parser.parse_args()
    servers = [Rocketmq(os.path.join(options.work, "rocketmq")),
               Totora(os.path.join(options.bin, "totora"), os.path.join(options.work, "totora"))]
    try:
        for server in servers:
            server.start()
        print(json.dumps([{key: getattr(server, key) for key in
                           ("name", "cluster", "broker", "namesrv", "address", "addresses")}
                          for server in servers]), flush=True)
        sys.stdin.read()
    finally:
        for server in servers:
            server.stop()


if __name__ == "__main__":
    main()
