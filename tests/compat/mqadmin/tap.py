"""A wire tap: stands between mqadmin and a server and writes down every request with its answer.

    tap.py --namesrv 127.0.0.1:9876          prints its own address; give that to mqadmin with -n

Addresses of brokers in the nameserver's answers are replaced by taps of their own, so that what goes
to the brokers is seen, too. Only JSON headers are understood: the tools send no others."""

import argparse
import json
import re
import socket
import struct
import sys
import threading

NAMES = {
    10: "SEND_MESSAGE", 11: "PULL_MESSAGE", 12: "QUERY_MESSAGE", 14: "QUERY_CONSUMER_OFFSET",
    15: "UPDATE_CONSUMER_OFFSET", 17: "UPDATE_AND_CREATE_TOPIC", 18: "UPDATE_AND_CREATE_TOPIC_LIST",
    21: "GET_ALL_TOPIC_CONFIG", 25: "UPDATE_BROKER_CONFIG", 26: "GET_BROKER_CONFIG",
    28: "GET_BROKER_RUNTIME_INFO", 29: "SEARCH_OFFSET_BY_TIMESTAMP", 30: "GET_MAX_OFFSET",
    31: "GET_MIN_OFFSET", 33: "VIEW_MESSAGE_BY_ID", 34: "HEART_BEAT", 35: "UNREGISTER_CLIENT",
    38: "GET_CONSUMER_LIST_BY_GROUP", 43: "GET_ALL_CONSUMER_OFFSET", 100: "PUT_KV_CONFIG",
    101: "GET_KV_CONFIG", 102: "DELETE_KV_CONFIG", 105: "GET_ROUTEINFO_BY_TOPIC",
    106: "GET_BROKER_CLUSTER_INFO", 200: "UPDATE_AND_CREATE_SUBSCRIPTIONGROUP",
    201: "GET_ALL_SUBSCRIPTIONGROUP_CONFIG", 202: "GET_TOPIC_STATS_INFO",
    203: "GET_CONSUMER_CONNECTION_LIST", 204: "GET_PRODUCER_CONNECTION_LIST",
    205: "WIPE_WRITE_PERM_OF_BROKER", 206: "GET_ALL_TOPIC_LIST_FROM_NAMESERVER",
    207: "DELETE_SUBSCRIPTIONGROUP", 208: "GET_CONSUME_STATS", 215: "DELETE_TOPIC_IN_BROKER",
    216: "DELETE_TOPIC_IN_NAMESRV", 222: "INVOKE_BROKER_TO_RESET_OFFSET",
    225: "UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST", 300: "QUERY_TOPIC_CONSUME_BY_WHO",
    307: "GET_CONSUMER_RUNNING_INFO", 310: "SEND_MESSAGE_V2", 315: "VIEW_BROKER_STATS_DATA",
    317: "GET_BROKER_CONSUME_STATS", 318: "UPDATE_NAMESRV_CONFIG", 319: "GET_NAMESRV_CONFIG",
    321: "QUERY_CONSUME_QUEUE", 327: "ADD_WRITE_PERM_OF_BROKER", 328: "GET_ALL_PRODUCER_INFO",
    351: "GET_TOPIC_CONFIG", 352: "GET_SUBSCRIPTIONGROUP_CONFIG", 401: "SET_MESSAGE_REQUEST_MODE",
}
_ADDRESS = re.compile(rb"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}:\d{4,5}\b")


class Exchange:
    """One request; `answer` is (header, body) or None. `where` is the server it went to."""

    def __init__(self, where, header, body):
        self.where = where
        self.header = header
        self.body = body
        self.answer = None

    def name(self):
        code = self.header["code"]
        return f"{code} {NAMES.get(code, '')}".strip()


def receive(source, count):
    data = b""
    while len(data) < count:
        more = source.recv(count - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def read_frame(source):
    (length,) = struct.unpack(">I", receive(source, 4))
    rest = receive(source, length)
    (kind,) = struct.unpack(">I", rest[:4])
    size = kind & 0xFFFFFF
    return kind >> 24, rest[4:4 + size], rest[4 + size:]


def write_frame(to, kind, header, body):
    to.sendall(struct.pack(">II", 4 + len(header) + len(body), kind << 24 | len(header)) + header + body)


class Tap:
    """Thread safety: threads of its own serve connections; `exchanges` is read
    by the owner while no command runs."""

    def __init__(self, target, new_address=None):
        self.target = target
        self.exchanges = []
        self._new_address = new_address
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self._listener.accept()
            host, port = self.target.rsplit(":", 1)
            try:
                server = socket.create_connection((host, int(port)), 5)
            except OSError:
                client.close()
                continue
            pending = {}
            for source, to, deed in ((client, server, self._asked), (server, client, self._answered)):
                threading.Thread(target=self._pump, args=(source, to, deed, pending),
                                 daemon=True).start()

    def _pump(self, source, to, deed, pending):
        try:
            while True:
                kind, header, body = read_frame(source)
                body = deed(json.loads(header) if kind == 0 else {"code": -1, "opaque": -1, "flag": 0},
                            body, pending)
                write_frame(to, kind, header, body)
        except (OSError, ConnectionError, ValueError):
            for end in (source, to):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _asked(self, header, body, pending):
        if header.get("flag", 0) & 1 == 0:
            pending[header["opaque"]] = exchange = Exchange(self.target, header, body)
            self.exchanges.append(exchange)
        return body

    def _answered(self, header, body, pending):
        exchange = pending.pop(header["opaque"], None) if header.get("flag", 0) & 1 else None
        if exchange is not None:
            exchange.answer = (header, body)
        if self._new_address and exchange is not None and exchange.header["code"] in (105, 106):
            return _ADDRESS.sub(lambda m: self._new_address(m.group().decode()).encode(), body)
        return body


class Taps:
    """A tap at the nameserver and, as they become known, at each broker."""

    def __init__(self, namesrv):
        self._lock = threading.Lock()
        self._brokers = {}
        self._namesrv = Tap(namesrv, self._tapped)
        self.address = self._namesrv.address

    def _tapped(self, address):
        with self._lock:
            if address not in self._brokers:
                self._brokers[address] = Tap(address)
            return self._brokers[address].address

    def tap_of(self, broker):
        """For commands that are told a broker's address."""
        return self._tapped(broker)

    def take(self):
        """What went over the wire since the last call, without heartbeats' noise."""
        taken = []
        for tap in [self._namesrv, *self._brokers.values()]:
            taken += tap.exchanges
            tap.exchanges = []
        return taken


def text_of(body, limit):
    if not body:
        return ""
    try:
        text = body.decode("utf-8")
        if any(ord(c) < 9 for c in text):
            raise ValueError
    except ValueError:
        return f"{len(body)} bytes, not text: {body[:48].hex()}..."
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def describe(exchange, limit=4000):
    lines = [f"-> {exchange.name()} to {exchange.where} fields "
             f"{json.dumps(exchange.header.get('extFields', {}), ensure_ascii=True)}"
             f"{' one-way' if exchange.header.get('flag', 0) & 2 else ''}"]
    if exchange.body:
        lines.append(f"   body {text_of(exchange.body, limit)}")
    if exchange.answer is None:
        lines.append("<- nothing")
    else:
        header, body = exchange.answer
        remark = f" remark {header['remark']!r}" if header.get("remark") else ""
        fields = f" fields {json.dumps(header['extFields'])}" if header.get("extFields") else ""
        lines.append(f"<- {header['code']}{remark}{fields}")
        if body:
            lines.append(f"   body {text_of(body, limit)}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--namesrv", required=True)
    options = parser.parse_args()
    taps = Taps(options.namesrv)
    print(taps.address, flush=True)
    for _ in sys.stdin:  # Each line prints what was seen since the last one.
        for exchange in taps.take():
            print(describe(exchange))
        print("--", flush=True)


if __name__ == "__main__":
    main()
