# SPDX-License-Identifier: MIT
"""Several threads or processes behind one port, and connections that are given to
a program of their own."""
import collections
import concurrent.futures
import socket

import pytest

PORT, INETD = 7070, 7071
MEMBERS = 4


def read_line(s):
    line = b""
    while not line.endswith(b"\n"):
        more = s.recv(1)
        assert more, line
        line += more
    return line.decode().strip()


def visit(address, port, data):
    """One connection: the member's name, once every byte has come back."""
    with socket.create_connection((address, port), timeout=30) as s:
        s.settimeout(30)
        s.sendall(data[:100])  # some of it is there before anybody reads
        name = read_line(s)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            sent = pool.submit(lambda: (s.sendall(data[100:]), s.shutdown(socket.SHUT_WR)))
            back = b""
            while chunk := s.recv(65536):
                back += chunk
            sent.result(30)
    assert back == data, (name, len(back), len(data))
    return name


def ask(address, i):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        s.connect((address, PORT))
        for _ in range(5):
            try:
                s.send(b"question %d" % i)
                name, back = s.recv(2000).split(b"\n", 1)
                assert back == b"question %d" % i
                return name.decode()
            except socket.timeout:
                pass
    raise AssertionError(f"no answer to datagram {i}")


def pattern(i, n):
    return bytes((i * 7 + k * 31 + (k >> 8)) & 255 for k in range(n))


@pytest.mark.parametrize("smp", [1, 2])
@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_four_members_serve_one_port(start, kind, smp):
    machine = start(cmdline=f"start=crew-{kind}", mem=256, smp=smp)
    machine.wait_ready()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        data = pattern(1, 700)
        tcp = collections.Counter(pool.map(lambda i: visit(machine.address, PORT, data), range(1000)))
        udp = collections.Counter(pool.map(lambda i: ask(machine.address, i), range(400)))
    for counts in (tcp, udp):
        assert len(counts) == MEMBERS, counts
        total = sum(counts.values())
        assert min(counts.values()) > total / MEMBERS * 0.6, counts  # 1,000 throws: far beyond chance
    pids = {name.split(".")[0] for name in tcp}
    assert len(pids) == (1 if kind == "threads" else MEMBERS)


def test_a_members_death_leaves_the_rest_alone(start):
    machine = start(cmdline="start=crew-processes", mem=256)
    machine.wait_ready()
    conns = []
    for _ in range(60):
        s = socket.create_connection((machine.address, PORT), timeout=20)
        s.settimeout(20)
        conns.append((read_line(s).split(".")[0], s))
    pids = sorted({pid for pid, _ in conns}, key=int)
    assert len(pids) == MEMBERS
    victim = pids[-1]  # not the first, whose end would bring the server back
    machine.command(f"kill {victim}")
    for pid, s in conns:
        try:
            s.sendall(b"still there?")
            back = s.recv(100)
            if not back:
                raise ConnectionResetError
            assert back == b"still there?" and pid != victim
        except (ConnectionResetError, BrokenPipeError):
            assert pid == victim
        s.close()
    names = {visit(machine.address, PORT, b"x" * 200).split(".")[0] for _ in range(60)}
    assert names == set(pids) - {victim}


@pytest.mark.parametrize("smp", [1, 2])
def test_a_tiny_inetd(start, smp):
    """Every connection is served by a process of its own, and not a byte is lost. C-MOVE-2"""
    machine = start(cmdline="start=inetd", mem=256, smp=smp)
    machine.wait_ready()
    sizes = [100, 101, 5000, 200000]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        names = list(pool.map(lambda i: visit(machine.address, INETD, pattern(i, sizes[i % 4])), range(40)))
    assert len(set(names)) == 40, names
