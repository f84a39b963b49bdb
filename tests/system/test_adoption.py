# SPDX-License-Identifier: MIT
"""A server that closes its connection and exits at once, with a quarter of a MiB
still on its way to a client that reads slowly: netd delivers it."""
import re
import socket
import time

import pytest

PORT = 7074
BYTES = 256 * 1024


def ask(address, how):
    """A client with a small window; its server's process number."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    s.settimeout(20)
    s.connect((address, PORT))
    s.sendall(how)
    pid = b""
    while len(pid) < 8:
        pid += s.recv(8 - len(pid))
    return s, int(pid)


def read_slowly(s, pause=0.002):
    data = b""
    while chunk := s.recv(4096):
        data += chunk
        time.sleep(pause)
    return data


def adopted(machine):
    found = re.search(r"netd adopted (\d+), refused (\d+), lost (\d+), delivers (\d+)", machine.command("netstat"))
    return [int(x) for x in found.groups()]


@pytest.fixture
def machine(start):
    machine = start(cmdline="start=parting", mem=128)
    machine.wait_ready()
    return machine


def test_a_slow_client_gets_all_of_it(machine):
    """C-ADOPT-1. The server has exited long before: its successor answers meanwhile. What
    that one leaves has no room in netd beside the first (C-ADOPT-2): its process stays
    for it, some seconds at most."""
    expected = bytes((i * 7 + (i >> 8)) & 255 for i in range(BYTES))
    first, pid = ask(machine.address, b"x")
    second, other = ask(machine.address, b"x")
    assert pid != other, "the first process has not ended"
    end = time.monotonic() + 5
    while adopted(machine)[1] == 0:
        assert time.monotonic() < end
    assert adopted(machine) == [1, 1, 0, 1]
    assert read_slowly(second, 0) == expected
    assert read_slowly(first) == expected
    taken, refused, lost, _ = adopted(machine)
    assert (taken, refused, lost) == (1, 1, 0)


def reset_at_next_word(s):
    """Nobody knows of the connection any more: what the client says next is refused. It
    says it more than once, since the first may come before the end."""
    s.settimeout(0.3)
    end = time.monotonic() + 15
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        while time.monotonic() < end:
            s.sendall(b"?")
            try:
                assert s.recv(4096), "an orderly end"
            except TimeoutError:
                pass


def test_a_crash_and_the_end_of_netd_reset(machine):
    crashed, _ = ask(machine.address, b"a")
    reset_at_next_word(crashed)
    first, _ = ask(machine.address, b"x")
    end = time.monotonic() + 10
    while adopted(machine)[3] != 1:
        assert time.monotonic() < end
    machine.command(f"kill -9 {machine.pid_of('netd')}")
    reset_at_next_word(first)
