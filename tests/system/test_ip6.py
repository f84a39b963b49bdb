# SPDX-License-Identifier: MIT
"""IPv6 against the host's own stack: dnsmasq advertises, the guest makes its
address; one machine for each card."""
import hashlib
import re
import socket
import subprocess
import threading
import time

import pytest

import vm as vm_module

EUI64 = "5054:ff:fe77:1"  # of 52:54:00:77:00:01
CARDS = ["virtio-modern", "rtl8139", "e1000"]


@pytest.fixture(scope="module", params=CARDS)
def six(build, request):
    """A running machine that has an address by router advertisement."""
    big = build.random_file("mib.bin", 1 << 20)
    machine = vm_module.Vm(build, nic=request.param, ip6=True, mem=96, cmdline="start=echo", extra=[(big, "www/mib.bin")])
    with machine.closed_on_failure():
        machine.wait_ready()
        machine.address6 = f"{machine.tap.prefix6}:{EUI64}"
        machine.local6 = f"fe80::{EUI64}%{machine.tap.name}"
        machine.big = big
        machine.wait_for(rf"eth0: {machine.address6}/64", 20)
    yield machine
    machine.close()
    print(f"---- console of {machine.name} ----\n{machine.console_text()[-6000:]}")


def ping(address, *words):
    r = subprocess.run(["ping", "-6", "-q", "-n", "-i", "0.01", "-W", "5", *words, address], timeout=60,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return r.stdout


def curl(*words):
    r = subprocess.run(["curl", "-sSgf", "--max-time", "60", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=70)
    assert r.returncode == 0, r.stderr
    return r.stdout


def test_addresses_came_by_themselves(six):
    shown = six.command("ifconfig")
    assert f"inet6 fe80::{EUI64}/64" in shown and f"inet6 {six.address6}/64" in shown, shown
    routes = six.command("route")
    assert re.search(r"^default +fe80::\S+ +eth0", routes, re.M), routes


def test_ping_both_addresses(six):
    assert "100 received" in ping(six.address6, "-c", "100")
    assert "20 received" in ping(six.local6, "-c", "20")
    assert "5 received" in ping(six.address6, "-c", "5", "-s", "4000")  # in pieces, both ways


def test_the_guest_pings(six):
    for words in (six.tap.host6, "-6 -c 2 -s 1400 " + six.tap.host6):
        words = words if words[0] == "-" else "-c 2 " + words
        assert "2 sent, 2 received" in six.command("ping " + words), words
    router = re.search(r"^default +(fe80::\S+)", six.command("route"), re.M).group(1)
    assert "1 sent, 1 received" in six.command(f"ping -c 1 {router}%eth0")
    assert "0 received" in six.command(f"ping -c 1 {six.tap.prefix6}:dead")


def test_page_by_both_families(six):
    first = curl(f"http://[{six.address6}]/")
    assert b"</html>" in first
    assert b"</html>" in curl(f"http://{six.address}/")
    listening = [line for line in six.command("netstat").splitlines() if re.search(r"^tcp +\S*\*\S*:80 ", line)]
    assert len(listening) == 2, listening


def test_a_mebibyte_each_way(six):
    with open(six.big, "rb") as f:
        data = f.read()
    assert hashlib.sha256(curl(f"http://[{six.address6}]/mib.bin")).digest() == hashlib.sha256(data).digest()
    got = bytearray()
    with socket.create_connection((six.address6, 7), timeout=30) as s:
        assert s.family == socket.AF_INET6

        def feed():
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        sender = threading.Thread(target=feed)
        sender.start()
        while chunk := s.recv(65536):
            got += chunk
        sender.join()
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()


@pytest.mark.parametrize("size", [0, 1, 1452, 1453, 9000])
def test_udp_echo(six, size):
    data = bytes(i * 7 & 255 for i in range(size))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.connect((six.address6, 7))
        s.send(data)
        assert s.recv(65536) == data


def test_closed_ports_say_so(six):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.connect((six.address6, 4999))
        s.send(b"x")
        with pytest.raises(ConnectionRefusedError):
            s.recv(10)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((six.address6, 4999), timeout=10)


def test_wget_of_a_literal(six):
    class Server(threading.Thread):
        def run(self):
            with socket.create_server((six.tap.host6, 8080), family=socket.AF_INET6) as listener:
                listener.settimeout(20)
                c, _ = listener.accept()
                with c:
                    c.recv(4096)
                    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsixsix\n")
    server = Server()
    server.start()
    time.sleep(0.1)
    assert "sixsix" in six.command(f"wget http://[{six.tap.host6}]:8080/x")
    server.join()


def test_netd_comes_back(six):
    """A new netd keeps addresses, routes and connections."""
    with socket.create_connection((six.address6, 7), timeout=30) as s:
        s.sendall(b"before")
        assert s.recv(100) == b"before"
        six.command("kill netd")
        s.sendall(b"between")
        assert s.recv(100) == b"between"
        six.wait_for("slipway# ", 10)
        deadline = time.monotonic() + 10
        while "2 received" not in ping(six.address6, "-c", "2") and time.monotonic() < deadline:
            pass
        s.sendall(b"after")
        assert s.recv(100) == b"after"
    shown = six.command("ifconfig")
    assert shown.count("inet6 fd77:") == 1 and shown.count("inet6 fe80:") == 1, shown
    assert "default" in six.command("route")
    subprocess.run(["ip", "-6", "neigh", "flush", "dev", six.tap.name], check=True)
    assert "3 received" in ping(six.address6, "-c", "3")


def test_an_address_by_hand(start):
    """net.ip6= for the first link, which then hears no router; an id that is nobody's card's."""
    machine = start(nic="e1000", ip6=True, cmdline="net.ip6=fdaa::5/64,fdaa::1 net.ip6-secret=hello")
    machine.wait_ready()
    subprocess.run(["ip", "addr", "add", "fdaa::1/64", "dev", machine.tap.name, "nodad"], check=True)
    assert "3 received" in ping("fdaa::5", "-c", "3")
    shown = machine.command("ifconfig")
    assert "inet6 fdaa::5/64 static" in shown and "fd77:" not in shown, shown
    assert "inet6 fe80::" in shown and EUI64 not in shown, shown
    assert re.search(r"^default +fdaa::1 ", machine.command("route"), re.M)
