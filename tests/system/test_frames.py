# SPDX-License-Identifier: MIT
"""What a hostile wire can carry: dropped, counted by reason, and the next good
frame is answered."""
import os
import random
import re
import socket
import struct

import pytest

import peer as p
import vm as vm_module
from conftest import NICS


@pytest.fixture(scope="module", params=NICS)
def wire(request, build):
    machine = vm_module.Vm(build, nic=request.param, net=p.NET, cmdline=p.OPTION + " start=echo")
    machine.nic = request.param
    peer = p.Peer(machine.dir)
    with machine.closed_on_failure():
        machine.wait_for(rf"^ready: {re.escape(p.GUEST)}$")
        machine.wait_for("slipway# ")
        assert peer.ping(20)
    yield machine, peer
    peer.close()
    machine.close()
    print(machine.console_text()[-6000:])


def drops(machine):
    """Counts by reason, from netstat's line "dropped: REASON COUNT REASON COUNT ..."."""
    line = re.search(r"^dropped:(.*)$", machine.command("netstat"), re.M).group(1)
    return {name: int(count) for name, count in re.findall(r"([a-z0-9-]+) (\d+)", line)}


BROADCAST = b"\xff" * 6
GOOD = p.echo_request()
CASES = [
    # name, frame, reason that must count
    ("runt IPv4", p.eth(p.ipv4(GOOD)[:12]), "ip-header"),
    ("header cut in the options", p.eth(p.ipv4(b"", vhl=0x4f)), "ip-header"),
    ("version 7", p.eth(p.ipv4(GOOD, vhl=0x75)), "ip-header"),
    ("header length 4", p.eth(p.ipv4(GOOD, vhl=0x44)), "ip-header"),
    ("total length beyond the frame", p.eth(p.ipv4(GOOD, total=1400)), "ip-header"),
    ("total length below the header", p.eth(p.ipv4(GOOD, total=19)), "ip-header"),
    ("total length 65535", p.eth(p.ipv4(GOOD, total=65535)), "ip-header"),
    ("header checksum wrong", p.eth(p.ipv4(GOOD, check=0x1234)), "ip-checksum"),
    ("UDP header cut", p.eth(p.ipv4(b"\0\7\0\7", proto=17)), "l4-header"),
    ("TCP header cut", p.eth(p.ipv4(b"\0\1\0\120" + bytes(8), proto=6)), "l4-header"),
    ("unknown Ethernet type", p.eth(bytes(100), 0x88b5), "ethertype"),
    ("type is a length", p.eth(bytes(100), 0x0040), "ethertype"),
    ("source is a broadcast", p.eth(p.ipv4(GOOD, src="255.255.255.255")), "martian"),
    ("source is multicast", p.eth(p.ipv4(GOOD, src="224.0.0.5")), "martian"),
    ("source is loopback", p.eth(p.ipv4(GOOD, src="127.0.0.1")), "martian"),
    ("source is ourselves", p.eth(p.ipv4(GOOD, src=p.GUEST)), "martian"),
    ("for another host", p.eth(p.ipv4(GOOD, dst="10.9.0.77")), "not-our-ip"),
]


@pytest.mark.parametrize("name, frame, reason", CASES, ids=[c[0] for c in CASES])
def test_dropped_and_counted(wire, name, frame, reason):
    machine, peer = wire
    if machine.nic == "rtl8139" and name == "runt IPv4":
        reason = "ip-checksum"  # that card pads what it receives to 60 bytes
    before = drops(machine).get(reason, 0)
    for _ in range(3):
        peer.send(frame)
    assert peer.ping(), "the next good frame was not answered"
    assert drops(machine).get(reason, 0) == before + 3


def test_bad_transport_checksums_are_not_answered(wire):
    machine, peer = wire
    for frame in (p.eth(p.ipv4(p.udp(b"x" * 20, check=0x4321), proto=17)),
                  p.eth(p.ipv4(GOOD[:2] + b"\xde\xad" + GOOD[4:]))):
        peer.send(frame)
        assert peer.receive(lambda f: f[12:14] == b"\x08\x00", 0.5) is None
    assert peer.ping()


def test_udp_lengths_that_lie(wire):
    machine, peer = wire
    for length in (0, 7, 9999):
        peer.send(p.eth(p.ipv4(p.udp(b"x" * 20, length=length), proto=17)))
    assert peer.ping()
    peer.send(p.eth(p.ipv4(p.udp(b"fine"), proto=17)))
    assert peer.receive(lambda f: f[23:24] == b"\x11" and f.find(b"fine") > 0)


def test_runts_and_giants(wire):
    machine, peer = wire
    for n in list(range(1, 60)) + [1515, 1600, 2000, 4000, 9000]:
        peer.send((p.GUEST_MAC + p.MAC + b"\x08\x00" + bytes(9000))[:n])
    assert peer.ping()
    assert peer.arp_works()


def test_random_frames(wire):
    machine, peer = wire
    rng = random.Random(7)
    for i in range(3000):
        kind = rng.randrange(4)
        if kind == 0:
            frame = p.eth(rng.randbytes(rng.randrange(1500)), rng.choice([0x0800, 0x0806, 0x86dd, rng.randrange(65536)]))
        elif kind == 1:
            packet = bytearray(p.ipv4(p.udp(rng.randbytes(30), dport=rng.choice([7, 68, 9999])), proto=17))
            packet[rng.randrange(20)] ^= 1 << rng.randrange(8)
            frame = p.eth(bytes(packet))
        elif kind == 2:
            segment = bytearray(p.tcp(rng.randrange(65536), rng.choice([7, 80, 81]), rng.randrange(1 << 32),
                                      flags=rng.randrange(64), data=rng.randbytes(rng.randrange(40))))
            segment[rng.randrange(len(segment))] ^= rng.randrange(2) << rng.randrange(8)
            frame = p.eth(p.ipv4(bytes(segment), proto=6))
        else:
            frame = p.eth(p.ipv4(rng.randbytes(64), proto=rng.randrange(256), frag=rng.randrange(65536)))
        peer.send(frame)
    assert peer.ping(20)
    assert peer.arp_works()


def test_fragments_are_reassembled(wire):
    machine, peer = wire
    data = os.urandom(3000)
    whole = p.udp(data)
    pieces = [(0, whole[:1480]), (1480, whole[1480:2960]), (2960, whole[2960:])]
    for offset, piece in reversed(pieces):
        more = 0x2000 if offset + len(piece) < len(whole) else 0
        peer.send(p.eth(p.ipv4(piece, proto=17, ident=77, frag=more | offset // 8)))
    # The echo is longer than the MTU: it comes back in pieces, or as an error, but ping works.
    assert peer.ping()


def test_syn_flood_of_a_closed_port_starves_nobody(wire):  # C-RX-2
    """10^5 frames to unbound ports; ARP is answered all the while."""
    machine, peer = wire
    frames = [p.eth(p.ipv4(p.udp(b"", sport=1000 + i, dport=20000 + i), proto=17)) for i in range(500)]
    answered = 0
    for burst in range(200):
        for frame in frames:
            peer.send(frame)
        answered += peer.arp_works(20)
    assert answered == 200
    assert peer.ping(20)
