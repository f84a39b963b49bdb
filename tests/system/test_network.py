# SPDX-License-Identifier: MIT
"""The first page and what belongs to it, on every card."""
import concurrent.futures
import hashlib
import os
import re
import socket
import subprocess

import pytest


def curl(*words, timeout=120):
    return subprocess.run(["curl", "-sS", "--max-time", str(timeout), *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout + 10)


def get(url):
    r = curl("-f", url, timeout=60)
    assert r.returncode == 0, r.stderr
    return r.stdout


def test_address_came_by_dhcp(served):
    with open(f"{served.dir}/dnsmasq.log") as f:
        assert f"DHCPACK({served.tap.name}) {served.address}" in f.read()


def test_thousand_pings(served):
    r = subprocess.run(["ping", "-q", "-n", "-i", "0.002", "-c", "1000", "-W", "5", served.address], timeout=120,
                       stdout=subprocess.PIPE, text=True)
    assert "1000 packets transmitted, 1000 received" in r.stdout, r.stdout


@pytest.mark.parametrize("size", [0, 1, 55, 1472, 1473, 20000])
def test_ping_sizes(served, size):
    r = subprocess.run(["ping", "-q", "-n", "-i", "0.01", "-c", "20", "-s", str(size), "-W", "5", served.address],
                       timeout=60, stdout=subprocess.PIPE, text=True)
    assert "20 received" in r.stdout, r.stdout


def test_page(served):
    body = get(f"http://{served.address}/")
    assert body.startswith(b"<!doctype html>") and b"</html>" in body


def test_big_file(served, big_file):
    body = get(f"http://{served.address}/big.bin")
    with open(big_file, "rb") as f:
        assert hashlib.sha256(body).digest() == hashlib.sha256(f.read()).digest()


def test_200_connections_in_a_row(served):
    for i in range(200):
        with socket.create_connection((served.address, 80), timeout=20) as s:
            s.settimeout(20)
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            data = b""
            while chunk := s.recv(65536):
                data += chunk
        assert data.startswith(b"HTTP/1.1 200 OK\r\n") and data.endswith(b"</html>\n"), (i, data[:200])


def test_50_connections_at_once(served):
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        bodies = list(pool.map(lambda _: get(f"http://{served.address}/"), range(50)))
    assert len(set(bodies)) == 1


def test_udp_echo_of_every_size(served):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect((served.address, 7))
        for size in range(1473):
            data = bytes((size * 31 + i) & 255 for i in range(size))
            s.send(data)
            assert s.recv(2000) == data, size


def test_udp_echo_in_fragments(served):
    """Up to the largest datagram there is, cut by the net core and put together by netd."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect((served.address, 7))
        s.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: don't
        for size in [1473, 2953, 8192, 30001, 60000, 65507]:
            data = os.urandom(size)
            for _ in range(3):
                s.send(data)
                assert s.recv(70000) == data, size


def test_tcp_echo(served):
    data = bytes(range(256)) * 4096
    with socket.create_connection((served.address, 7), timeout=20) as s:
        s.settimeout(30)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            def send():
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
            sent = pool.submit(send)
            back = b""
            while chunk := s.recv(65536):
                back += chunk
            sent.result(30)
    assert back == data


def test_netcat_against_echo(served):
    text = b"".join(b"line %d\n" % i for i in range(2000))
    r = subprocess.run(["nc", "-N", "-w", "20", served.address, "7"], input=text, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60)
    assert r.returncode == 0 and r.stdout == text, (r.returncode, r.stderr, len(r.stdout))


@pytest.mark.parametrize("request_text, status", [
    (b"GET /nothing-here HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
    (b"GET / HTTP/1.1\r\n\r\n", b"400"),
    (b"nonsense\r\n\r\n", b"400"),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"405"),
    (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", b"501"),
    (b"GET /../etc/servers.conf HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
])
def test_refusals(served, request_text, status):
    with socket.create_connection((served.address, 80), timeout=20) as s:
        s.settimeout(20)
        s.sendall(request_text)
        assert s.recv(4096).split(b" ")[1] == status


def test_keep_alive_and_head(served):
    with socket.create_connection((served.address, 80), timeout=20) as s:
        s.settimeout(20)
        for _ in range(20):
            s.sendall(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = s.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\n")
            assert re.search(rb"Content-Length: [1-9]", answer)


def test_range(served, big_file):
    body = curl("-f", "-r", "1000000-1999999", f"http://{served.address}/big.bin").stdout
    with open(big_file, "rb") as f:
        assert body == f.read()[1000000:2000000]


def test_pipelined_requests(served):
    with socket.create_connection((served.address, 80), timeout=20) as s:
        s.settimeout(20)
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 9 + b"GET / HTTP/1.0\r\n\r\n")
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    assert data.count(b"HTTP/1.1 200 OK") == 10


def test_closed_port_is_refused(served):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((served.address, 4242), timeout=20)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect((served.address, 4242))
        s.send(b"x")
        with pytest.raises(ConnectionRefusedError):
            s.recv(10)


def test_counters_add_up(served):
    counters = served.status()
    links = {link["name"]: link for link in counters["links"]}
    assert links["eth0"]["rx_frames"] > 1000 and links["eth0"]["rx_errors"] == 0
