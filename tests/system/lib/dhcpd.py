# SPDX-License-Identifier: MIT
"""A DHCP server that does what a test tells it, and remembers what it was asked."""
import socket
import struct
import threading
import time

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK = range(1, 7)
COOKIE = b"\x63\x82\x53\x63"


def parse_options(data):
    options, at = {}, 0
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        options[data[at]] = data[at + 2:at + 2 + data[at + 1]]
        at += 2 + data[at + 1]
    return options


class Request:
    def __init__(self, message, to_us):
        self.time = time.monotonic()
        self.xid, self.chaddr = message[4:8], message[28:44]
        self.ciaddr = socket.inet_ntoa(message[12:16])
        self.options = parse_options(message[240:])
        self.type = self.options[53][0]
        self.unicast = to_us
        self.wanted = socket.inet_ntoa(self.options[50]) if 50 in self.options else None

    def __repr__(self):
        return f"<{self.type} ciaddr {self.ciaddr} wanted {self.wanted} unicast {self.unicast}>"


class Server:
    """Offers `address` for `lease` seconds on a tap; `extra`: more options by number.
    `deaf_to`: a function that picks the requests to leave unanswered; `nak`: refuse."""

    def __init__(self, tap, address, lease, extra=None):
        self.tap, self.address, self.lease = tap, address, lease
        self.extra = extra or {}
        self.deaf_to = lambda request: False
        self.nak = False
        self.requests = []
        self._changed = threading.Condition()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, tap.name.encode())
        self._socket.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO: was it for us, or for all?
        self._socket.settimeout(0.2)
        self._socket.bind(("", 67))
        self._running = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        self._running = False
        self._thread.join(5)
        self._socket.close()

    def _run(self):
        while self._running:
            try:
                message, ancillary, _, _ = self._socket.recvmsg(1500, 128)
            except socket.timeout:
                continue
            destination = socket.inet_ntoa(ancillary[0][2][8:12])
            request = Request(message, destination == self.tap.host)
            with self._changed:
                self.requests.append(request)
                self._changed.notify_all()
            if request.type in (DISCOVER, REQUEST) and not self.deaf_to(request):
                self._answer(request)

    def _answer(self, request):
        kind = OFFER if request.type == DISCOVER else ACK
        asked = request.wanted or request.ciaddr
        if request.type == REQUEST and (self.nak or asked != self.address):
            kind, self.nak = NAK, False
        options = {53: bytes([kind]), 54: socket.inet_aton(self.tap.host)}
        if kind != NAK:
            options.update({51: struct.pack(">I", self.lease), 1: b"\xff\xff\xff\x00", **self.extra})
        head = struct.pack(">BBBB4sHH4s4s4s4s", 2, 1, 6, 0, request.xid, 0, 0, socket.inet_aton(request.ciaddr),
                           socket.inet_aton(self.address) if kind != NAK else bytes(4), bytes(4), bytes(4))
        body = b"".join(bytes([code, len(value)]) + value for code, value in options.items())
        self._socket.sendto(head + request.chaddr + bytes(192) + COOKIE + body + b"\xff", ("255.255.255.255", 68))

    def wait_for(self, condition, timeout=20, since=0):
        """The first request after number `since` that fits."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for request in self.requests[since:]:
                    if condition(request):
                        return request
                assert self._changed.wait(deadline - time.monotonic()), f"not asked so; asked {self.requests[since:]}"
