# SPDX-License-Identifier: MIT
"""natd: a machine that has only a serial line reaches the network through
Slipway. That machine is a network namespace with slipway-attach in it."""
import hashlib
import os
import re
import socket
import subprocess
import sys
import time

import pytest

import netns
import vm

BYTES = 1 << 20
MANIFEST_ARGS = "    args     inside=sl0 outside=eth0\n"
FORWARD_ARGS = "    args     inside=sl0 outside=eth0 forward=tcp/8080:192.168.7.1:8080\n"


class Pc:
    """The machine at the other end of the line: a namespace of its own."""

    def __init__(self, build, machine):
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up; echo up; exec sleep 3600"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "up\n"
        self.log = open(f"{machine.dir}/pc-attach.log", "w+")
        self.attach = subprocess.Popen(self._words(build.path("slipway-attach"), "--verbose", f"unix:{machine.dir}/com1"),
                                       stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 20
        while self.run("ip", "route", "add", "default", "via", "192.168.7.2", check=False).returncode != 0:
            assert time.monotonic() < deadline and self.attach.poll() is None, open(self.log.name).read()
            time.sleep(0.1)

    def _words(self, *words):
        return ["nsenter", "-t", str(self.holder.pid), "-n", *words]

    def run(self, *words, check=True, timeout=60):
        return subprocess.run(self._words(*words), check=check, timeout=timeout, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def python(self, text, timeout=120):
        """A piece of Python there; what it printed."""
        return self.run(sys.executable, "-c", text, timeout=timeout).stdout

    def start(self, text):
        return subprocess.Popen(self._words(sys.executable, "-c", text), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, text=True)

    def close(self):
        for p in (self.attach, self.holder):
            p.terminate()
            p.wait(10)
        self.log.close()


@pytest.fixture(scope="module")
def gateway(build):
    body = build.random_file("gate.bin", BYTES)
    manifest = os.path.join(build.work, "gateway.conf")
    with open(os.path.join(build.src, "iso/etc/servers.conf")) as f:
        text = f.read()
    assert MANIFEST_ARGS in text
    text = text.replace(MANIFEST_ARGS, FORWARD_ARGS).replace("udp/20000-23999 icmp", "udp/20000-23999 tcp/8080 icmp")
    with open(manifest, "w") as f:
        f.write(text)
    machine = vm.Vm(build, extra=[(manifest, "etc/servers.conf")], cmdline="start=natd,echo")
    with machine.closed_on_failure():
        machine.wait_ready()
        machine.pc = Pc(build, machine)
        machine.host = machine.tap.host
        machine.wait_for(r"natd.*sl0 goes out by eth0")
    machine.body = body
    with netns.pages(machine.host, 8000, build.work):
        yield machine
    machine.pc.close()
    machine.close()
    print(machine.console_text()[-6000:])


def sha_of(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def test_ping_through(gateway):
    out = gateway.pc.run("ping", "-q", "-n", "-c", "20", "-i", "0.1", "-W", "5", gateway.host).stdout
    assert "20 received" in out, out


def test_page_through(gateway):
    out = gateway.pc.python(f"import urllib.request, hashlib\n"
                            f"with urllib.request.urlopen('http://{gateway.host}:8000/gate.bin', timeout=100) as r:\n"
                            f"    print(hashlib.sha256(r.read()).hexdigest())")
    assert out.strip() == sha_of(gateway.body)


def test_many_connections_at_once(gateway):
    out = gateway.pc.python(
        "import urllib.request, concurrent.futures as f\n"
        f"url = 'http://{gateway.host}:8000/gateway.conf'\n"
        "def get(i): return len(urllib.request.urlopen(url, timeout=60).read())\n"
        "print(len(set(f.ThreadPoolExecutor(20).map(get, range(60)))))")
    assert out.strip() == "1", out


def test_udp_through(gateway):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((gateway.host, 0))
        s.settimeout(20)
        port = s.getsockname()[1]
        p = gateway.pc.start("import socket\n"
                             "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                             "s.settimeout(20)\n"
                             f"s.sendto(b'x' * 900, ('{gateway.host}', {port}))\n"
                             "print(len(s.recv(4000)))\n")
        data, peer = s.recvfrom(4000)
        assert len(data) == 900 and peer[0] == gateway.address and 20000 <= peer[1] <= 23999
        s.sendto(b"y" * 500, peer)
        assert p.communicate(timeout=30)[0].strip() == "500"
        # An answer from where nobody has asked is not let in.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((gateway.host, 0))
            other.sendto(b"z", peer)
        assert "no-session" in gateway.command("nat")


def test_fragments_through(gateway):
    """Larger than either link: cut on the way out, put together and cut again on
    the way back."""
    out = gateway.pc.run("ping", "-q", "-n", "-c", "4", "-i", "1", "-s", "4000", "-W", "10", gateway.host).stdout
    assert "4 received" in out, out + gateway.command("nat") + gateway.command("netstat")


def test_hop_limit_is_told(gateway):
    out = gateway.pc.run("ping", "-n", "-c", "1", "-t", "1", "-W", "10", gateway.host, check=False).stdout
    assert re.search(r"192\.168\.7\.2.*exceeded", out), out


def test_unreachable_is_told(gateway):
    """A closed UDP port beyond the gateway: the error finds its way back."""
    out = gateway.pc.python("import socket\n"
                            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                            "s.settimeout(20)\n"
                            f"s.connect(('{gateway.host}', 9999))\n"
                            "s.send(b'x')\n"
                            "try:\n    s.recv(10)\n"
                            "except ConnectionRefusedError:\n    print('refused')\n")
    assert out.strip() == "refused"


def test_names_by_the_gateway(gateway):
    query = (b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
             b"\x07slipway\x04test\x00\x00\x01\x00\x01")
    out = gateway.pc.python("import socket\n"
                            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                            "s.settimeout(20)\n"
                            f"s.sendto({query!r}, ('192.168.7.2', 53))\n"
                            "data, peer = s.recvfrom(4000)\n"
                            "print(peer[0], data[:2].hex(), '.'.join(map(str, data[-4:])))\n")
    assert out.strip() == "192.168.7.2 1234 10.1.2.3"


def test_forwarded_port(gateway):
    p = gateway.pc.start("import socket\n"
                         "s = socket.create_server(('', 8080))\n"
                         "print('up', flush=True)\n"
                         "c, peer = s.accept()\n"
                         "c.sendall(b'from the inside to ' + peer[0].encode())\n"
                         "c.close()\n")
    assert p.stdout.readline() == "up\n"
    with socket.create_connection((gateway.address, 8080), timeout=30) as s:
        s.settimeout(30)
        got = b""
        while chunk := s.recv(1000):
            got += chunk
    assert got == b"from the inside to " + gateway.host.encode()
    p.wait(10)


def test_nobody_else_gets_through(gateway):
    """A host on the Ethernet side that would use us as its router."""
    subprocess.run(["ip", "route", "add", "198.51.100.1/32", "via", gateway.address], check=True)
    try:
        r = subprocess.run(["ping", "-q", "-n", "-c", "2", "-i", "0.2", "-W", "1", "198.51.100.1"],
                           stdout=subprocess.PIPE, text=True)
        assert "0 received" in r.stdout
        assert "source" in gateway.command("nat")
    finally:
        subprocess.run(["ip", "route", "del", "198.51.100.1/32"], check=True)


def test_killing_natd_takes_no_other_connection(gateway):
    """A connection to the guest's own echo server lives on; natd is back at once."""
    with socket.create_connection((gateway.address, 7), timeout=20) as s:
        s.settimeout(20)
        s.sendall(b"before")
        assert s.recv(100) == b"before"
        gateway.command(f"kill {gateway.pid_of('natd')}")
        s.sendall(b"after")
        assert s.recv(100) == b"after"
    deadline = time.monotonic() + 30
    while "1 received" not in gateway.pc.run("ping", "-q", "-n", "-c", "1", "-W", "2", gateway.host, check=False).stdout:
        assert time.monotonic() < deadline
    test_page_through(gateway)


def test_off_by_default(build, start):
    machine = start()
    machine.wait_ready()
    pc = Pc(build, machine)
    try:
        out = pc.run("ping", "-q", "-n", "-c", "2", "-i", "0.2", "-W", "1", machine.tap.host,
                     check=False).stdout
        assert "0 received" in out
        assert "2 received" in pc.run("ping", "-q", "-n", "-c", "2", "-W", "10", "192.168.7.2").stdout
    finally:
        pc.close()
