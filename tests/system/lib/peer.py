# SPDX-License-Identifier: MIT
"""A raw Ethernet peer: one datagram of a Unix socket is one frame."""
import collections
import os
import select
import socket
import struct
import time

MAC = bytes.fromhex("020000000001")
GUEST_MAC = bytes.fromhex("525400770001")
ADDRESS = "10.9.0.1"
GUEST = "10.9.0.2"
NET = "dgram,id=n0,local.type=unix,local.path=DIR/guest,remote.type=unix,remote.path=DIR/peer"
OPTION = f"net.eth0={GUEST}/24,{ADDRESS}"


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def eth(payload, ethertype=0x0800, dst=GUEST_MAC, src=MAC):
    return dst + src + struct.pack("!H", ethertype) + payload


def ipv4(payload, proto=1, src=ADDRESS, dst=GUEST, **change):
    """An IPv4 packet; keyword arguments overwrite header fields."""
    f = dict(vhl=0x45, tos=0, total=20 + len(payload), ident=1, frag=0, ttl=64, proto=proto, check=None)
    f.update(change)
    h = struct.pack("!BBHHHBBH4s4s", f["vhl"], f["tos"], f["total"], f["ident"], f["frag"], f["ttl"], f["proto"], 0,
                    socket.inet_aton(src), socket.inet_aton(dst))
    check = checksum(h) if f["check"] is None else f["check"]
    return h[:10] + struct.pack("!H", check) + h[12:] + payload


def echo_request(ident=0x5353, seq=1, data=b"hello"):
    body = struct.pack("!BBHHH", 8, 0, 0, ident, seq) + data
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def udp(data, sport=4000, dport=7, src=ADDRESS, dst=GUEST, check=None, length=None):
    length = 8 + len(data) if length is None else length
    h = struct.pack("!HHHH", sport, dport, length, 0)
    pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, 17, 8 + len(data))
    c = (checksum(pseudo + h + data) or 0xffff) if check is None else check
    return h[:6] + struct.pack("!H", c) + data


def tcp(sport, dport, seq, ack=0, flags=2, data=b"", window=8192, src=ADDRESS, dst=GUEST, offset=5, options=b""):
    h = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, (offset + len(options) // 4) << 4, flags, window, 0, 0) + options
    pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, 6, len(h) + len(data))
    c = checksum(pseudo + h + data)
    return h[:16] + struct.pack("!H", c) + h[18:] + data


def arp(op, sender_ip=ADDRESS, target_ip=GUEST, sender_mac=MAC, target_mac=bytes(6)):
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + sender_mac + socket.inet_aton(sender_ip) + target_mac + \
        socket.inet_aton(target_ip)


class Peer:
    """Answers ARP for its own address by itself. It never stops reading: QEMU's
    datagram netdev stalls for good when the other side lets its queue fill up."""

    def __init__(self, directory):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(os.path.join(directory, "peer"))
        self.guest = os.path.join(directory, "guest")
        self.frames = collections.deque(maxlen=10000)
        self.seq = 0

    def _drain(self):
        """Take what has come in; ARP requests for us are answered last."""
        asked = []
        while True:
            try:
                frame = self.socket.recv(70000)
            except BlockingIOError:
                break
            if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\1" and frame[38:42] == socket.inet_aton(ADDRESS):
                asked.append(frame)
            self.frames.append(frame)
        for frame in asked:
            self.send(eth(arp(2, target_ip=socket.inet_ntoa(frame[28:32]), target_mac=frame[22:28]), 0x0806,
                          dst=frame[6:12]))

    def send(self, frame):
        deadline = time.monotonic() + 20
        while True:
            try:
                return self.socket.sendto(frame, self.guest)
            except OSError:  # its queue is full, or QEMU is not there yet
                if time.monotonic() > deadline:
                    raise
            self._drain()
            select.select([self.socket], [], [], 0.001)

    def receive(self, want, timeout=5):
        """The first frame for which want(frame) holds, or None."""
        deadline = time.monotonic() + timeout
        while True:
            self._drain()
            while self.frames:
                frame = self.frames.popleft()
                if want(frame):
                    return frame
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            select.select([self.socket], [], [], left)

    def ping(self, timeout=5):
        """One echo request; did its reply come?"""
        self.seq += 1
        request = echo_request(seq=self.seq & 0xffff, data=os.urandom(32))
        self.send(eth(ipv4(request)))
        return self.receive(lambda f: f[12:14] == b"\x08\x00" and f[23] == 1 and f[34] == 0 and f[38:] .startswith(request[4:]),
                            timeout) is not None

    def arp_works(self, timeout=5):
        self.send(eth(arp(1), 0x0806, dst=b"\xff" * 6))
        return self.receive(lambda f: f[12:14] == b"\x08\x06" and f[20:22] == b"\0\2", timeout) is not None

    def close(self):
        self.socket.close()
