# SPDX-License-Identifier: MIT
"""Attacks from the wire: whatever they cost while they last, afterwards the
system answers, its books balance and its memory is back."""
import random
import re
import struct
import time

import pytest

import peer as p
import vm as vm_module


@pytest.fixture(scope="module", params=[1, 2, 4], ids="smp{}".format)
def wire(build, request):
    machine = vm_module.Vm(build, net=p.NET, cmdline=p.OPTION + " start=echo", smp=request.param)
    peer = p.Peer(machine.dir)
    with machine.closed_on_failure():
        machine.wait_for(rf"^ready: {re.escape(p.GUEST)}$")
        machine.wait_for("slipway# ")
        assert peer.ping(20)
        assert page(peer)
    yield machine, peer
    peer.close()
    machine.close()
    print(machine.console_text()[-6000:])


@pytest.fixture(autouse=True)
def unharmed(wire):
    """After each attack."""
    machine, peer = wire
    used = memory(machine)
    yield
    assert peer.ping(20)
    assert page(peer)
    assert balance(machine) == 0
    assert memory(machine) < used + 4096  # httpd may keep the heap that 256 connections need


def memory(machine):
    return int(re.search(r"used (\d+) KiB", machine.command("free")).group(1))


def balance(machine):
    """Received + injected - delivered - drops - in flight; what failed to be sent is no part of it."""
    text = machine.command("netstat")
    names = r"received (\d+) injected (\d+) delivered (\d+) in flight (\d+)"
    received, injected, delivered, in_flight = map(int, re.search(names, text).groups())
    line = re.search(r"^dropped:(.*)$", text, re.M).group(1)
    dropped = sum(int(n) for name, n in re.findall(r"([a-z0-9-]+) (\d+)", line) if not name.startswith("tx-"))
    return received + injected - delivered - dropped - in_flight


def segment(peer, sport, dport, seq, ack, flags, data=b"", src=p.ADDRESS, window=60000):
    peer.send(p.eth(p.ipv4(p.tcp(sport, dport, seq, ack, flags, data, window=window, src=src), proto=6, src=src)))


def reply(peer, sport, want=lambda f: True, timeout=3):
    port = struct.pack("!H", sport)
    return peer.receive(lambda f: f[12:14] == b"\x08\x00" and f[23] == 6 and f[36:38] == port and want(f), timeout)


_sport = 40000


def connect(peer, dport):
    """A connection: our port and the guest's next sequence number. Ours is 1001."""
    global _sport
    _sport += 1
    for _ in range(5):
        segment(peer, _sport, dport, 1000, 0, 2)
        answer = reply(peer, _sport, lambda f: f[47] & 0x12 == 0x12)
        if answer:
            seq = (struct.unpack("!I", answer[38:42])[0] + 1) & 0xffffffff
            segment(peer, _sport, dport, 1001, seq, 0x10)
            return _sport, seq
    raise AssertionError("no connection")


def page(peer):
    sport, seq = connect(peer, 80)
    segment(peer, sport, 80, 1001, seq, 0x18, b"GET / HTTP/1.0\r\n\r\n")
    answer = reply(peer, sport, lambda f: b"200 OK" in f)
    segment(peer, sport, 80, 1019, 0, 4)
    return answer is not None


def echoes(peer, connection, offset, text):
    """Does an echo connection work, when both sides have sent `offset` bytes?"""
    sport, seq = connection
    segment(peer, sport, 7, 1001 + offset, (seq + offset) & 0xffffffff, 0x18, text)
    return reply(peer, sport, lambda f: text in f) is not None


def test_syn_flood_with_forged_sources(wire):
    machine, peer = wire
    rng = random.Random(1)
    for i in range(6000):
        near = i % 2 and f"10.9.0.{rng.randrange(3, 250)}"
        src = near or f"{rng.randrange(11, 120)}.{rng.randrange(256)}.{rng.randrange(256)}.1"
        segment(peer, rng.randrange(1, 65536), 80, rng.randrange(1 << 32), 0, 2, src=src)
        if i % 2000 == 1999:
            assert page(peer)


def test_forged_segments_end_no_connection(wire):  # C-TCP-2
    machine, peer = wire
    rng = random.Random(2)
    connection = connect(peer, 7)
    sport, seq = connection
    for _ in range(4000):
        flags = rng.choice([0x10, 0x04, 0x14, 0x11, 0x01, 0x02, 0x12, 0x18])
        segment(peer, sport, 7, rng.randrange(1 << 31) + 70000, rng.randrange(1 << 32), flags, bytes(rng.randrange(9)))
    for offset in range(1, 3000, 11):  # within the window, but not the next number
        segment(peer, sport, 7, 1001 + offset, 0, 4)
        segment(peer, sport, 7, 1001 + offset, 0, 2)
    assert echoes(peer, connection, 0, b"after the segments")


def test_forged_icmp_errors_end_no_connection(wire):
    machine, peer = wire
    connection = connect(peer, 7)
    sport, seq = connection
    for kind, code in [(4, 0), (11, 0), (11, 1), (12, 0), (5, 1)] + [(3, code) for code in range(16)]:
        for mtu in (0, 1, 68, 65535):
            for quoted_seq in (seq, (seq - 1) & 0xffffffff, 0):
                inner = p.tcp(7, sport, quoted_seq, 1001, 0x10, src=p.GUEST, dst=p.ADDRESS)
                quoted = p.ipv4(inner, proto=6, src=p.GUEST, dst=p.ADDRESS)
                for length in (28, 20, 3):
                    body = struct.pack("!BBHHH", kind, code, 0, 0, mtu) + quoted[:length]
                    peer.send(p.eth(p.ipv4(body[:2] + struct.pack("!H", p.checksum(body)) + body[4:])))
    assert echoes(peer, connection, 0, b"after the errors")
    # None of them was about anything under way, so the path's MTU stays as it was.
    peer.send(p.eth(p.ipv4(p.udp(b"x" * 1400), proto=17)))
    assert peer.receive(lambda f: f[23:24] == b"\x11" and f.count(b"x" * 1400) == 1)


def test_fragments_without_a_rest_keep_nobody_out(wire):  # C-NETD-5
    machine, peer = wire
    rng = random.Random(3)
    for i in range(3000):
        src = p.ADDRESS if i % 3 == 0 else f"10.9.0.{rng.randrange(3, 250)}"
        more = 0x2000 * rng.randrange(2)
        peer.send(p.eth(p.ipv4(rng.randbytes(rng.choice([8, 64, 1480])), proto=rng.choice([1, 6, 17]), src=src,
                               ident=rng.randrange(65536), frag=more | rng.randrange(8192))))
        if i % 500 == 0:
            assert peer.arp_works(10)
    assert peer.ping(20)
    whole = p.udp(b"z" * 1400 + b"the end")
    peer.send(p.eth(p.ipv4(whole[:800], proto=17, ident=777, frag=0x2000)))
    peer.send(p.eth(p.ipv4(whole[800:], proto=17, ident=777, frag=100)))
    assert peer.receive(lambda f: f[23:24] == b"\x11" and b"the end" in f, 5)


def test_arp_flood(wire):
    machine, peer = wire
    rng = random.Random(4)
    for i in range(6000):
        peer.send(p.eth(p.arp(1 + i % 2, sender_ip=f"10.9.0.{rng.randrange(3, 254)}",
                              target_ip=p.GUEST if i % 3 else "10.9.0.77", sender_mac=rng.randbytes(6)), 0x0806,
                        dst=p.GUEST_MAC if i % 5 else b"\xff" * 6))


def test_claims_to_our_address_fill_no_log(wire):
    """Each is counted; the log, and with it a slow console, gets a line a second at most."""
    machine, peer = wire
    start, rng = len(machine.console_text()), random.Random(5)
    for _ in range(60):
        for _ in range(20):
            peer.send(p.eth(p.arp(1, sender_ip=p.GUEST, sender_mac=b"\2" + rng.randbytes(5)), 0x0806))
        time.sleep(0.01)
    assert peer.arp_works()
    assert 1 <= machine.console_text()[start:].count("is in use by") < 40


def test_silent_clients_keep_nobody_out_of_httpd(wire):
    """More than it has places for, in the middle of a question."""
    machine, peer = wire
    silent = [connect(peer, 80) for _ in range(300)]
    for sport, seq in silent:
        segment(peer, sport, 80, 1001, seq, 0x18, b"GET /")
    assert page(peer)
    for sport, seq in silent:
        segment(peer, sport, 80, 1006, seq, 4)


def test_links_that_flap(wire):
    machine, peer = wire
    for _ in range(5):
        machine.qmp("set_link", name="n0", up=False)
        machine.qmp("set_link", name="n0", up=True)
    deadline = time.monotonic() + 10
    while not peer.ping(0.5):
        assert time.monotonic() < deadline


def test_start_and_stop_without_end(wire):
    machine, peer = wire
    for _ in range(20):
        machine.command("stop httpd")
        machine.command("start httpd")
