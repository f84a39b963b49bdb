# SPDX-License-Identifier: MIT
"""libnet as a library of the host: the example tun_echo beside the host's own TCP/IP."""
import os
import socket
import subprocess
import time

import pytest


HOST, GUEST = "10.9.0.1", "10.9.0.2"
BULK = 4 << 20


@pytest.fixture
def echo(build):
    device = f"slw{os.getpid() % 10000}"
    for line in (f"tuntap add {device} mode tun", f"addr add {HOST}/24 dev {device}", f"link set {device} up"):
        subprocess.run(["ip", *line.split()], check=True)
    server = subprocess.Popen([build.path("tun_echo"), device, GUEST])
    try:
        deadline = time.monotonic() + 10
        while subprocess.run(["ping", "-c1", "-W1", GUEST], stdout=subprocess.DEVNULL).returncode != 0:
            assert time.monotonic() < deadline and server.poll() is None
        yield server
        assert server.poll() is None
    finally:
        server.kill()
        server.wait()
        subprocess.run(["ip", "link", "del", device])


def test_streams_come_back(echo):
    """Several at once, each larger than all buffers together."""
    one = f"""
import hashlib, os, socket, sys, threading
data = os.urandom({BULK})
s = socket.create_connection(("{GUEST}", 7), timeout=60)
got = hashlib.sha256()
def read():
    while True:
        part = s.recv(65536)
        if not part:
            return
        got.update(part)
t = threading.Thread(target=read)
t.start()
s.sendall(data)
s.shutdown(socket.SHUT_WR)
t.join(60)
sys.exit(got.digest() != hashlib.sha256(data).digest())
"""
    clients = [subprocess.Popen(["python3", "-c", one]) for _ in range(3)]
    assert [c.wait(90) for c in clients] == [0, 0, 0]


def test_large_pings_come_back(echo):
    subprocess.run(["ping", "-c3", "-i0.2", "-W2", "-s", "9000", GUEST], check=True)


def test_nobody_listens(echo):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((GUEST, 8), timeout=10)
