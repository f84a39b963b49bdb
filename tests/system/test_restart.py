# SPDX-License-Identifier: MIT
"""Servers die and come back; nobody else notices."""
import hashlib
import socket
import threading
import time
import urllib.request

import pytest

from conftest import EVERYWHERE, options_of


@pytest.fixture(params=EVERYWHERE)
def machine(start, big_file, request):
    return start(extra=[(big_file, "www/big.bin")], mem=128, **options_of(request.param, "start=echo")).wait_ready()


def wait_for_new_pid(machine, name, old, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            pid = machine.pid_of(name)
            if pid != old:
                return pid
        except AssertionError:
            pass
    raise AssertionError(f"{name} did not come back")


def download(address, result):
    with urllib.request.urlopen(f"http://{address}/big.bin", timeout=120) as r:
        data = bytearray()
        while chunk := r.read(65536):
            data += chunk
            result["got"] = len(data)
    result["digest"] = hashlib.sha256(data).digest()


def test_killing_netd_in_a_download(machine, big_file):  # C-NETD-1
    result = {"got": 0}
    t = threading.Thread(target=download, args=(machine.address, result), daemon=True)
    old = machine.pid_of("netd")
    t.start()
    while result["got"] < 1 << 20:
        time.sleep(0.01)
    machine.command(f"kill {old}")
    assert result["got"] < 16 << 20, "the download was over before the kill"
    wait_for_new_pid(machine, "netd", old)
    t.join(120)
    with open(big_file, "rb") as f:
        assert result.get("digest") == hashlib.sha256(f.read()).digest()
    # The new one answers: ARP anew, ping, a new connection, the same address.
    import netns
    netns.run("ip", "neigh", "flush", "dev", machine.tap.name)
    assert " 0% packet loss" in netns.run("ping", "-n", "-c", "3", "-i", "0.2", machine.address, check=False).stdout
    with urllib.request.urlopen(f"http://{machine.address}/", timeout=20) as r:
        assert r.status == 200


def test_killing_netd_is_repaired_within_a_second(machine):
    """By the guest's own clock: from the log lines of its end and its start."""
    old = machine.pid_of("netd")
    machine.command(f"kill {old}")
    wait_for_new_pid(machine, "netd", old)
    machine.wait_for(r"netd \(process \d+\) is up again")
    log = machine.command("dmesg", timeout=60)
    import re
    ended = [float(t) for t in re.findall(r"\[\s*([0-9.]+)\] .*netd.*(?:killed|ended|died)", log)]
    started = [float(t) for t in re.findall(r"\[\s*([0-9.]+)\] .*netd.*(?:started|ready|up)", log)]
    assert ended and started, log
    assert 0 <= started[-1] - ended[-1] < 1.0


def test_killing_httpd(machine):  # C-INIT-1
    echo = socket.create_connection((machine.address, 7), timeout=20)
    echo.sendall(b"before")
    assert echo.recv(100) == b"before"
    for _ in range(3):
        old = machine.pid_of("httpd")
        machine.command(f"kill {old}")
        # At once: no listener yet. The SYN is parked, and the new one serves it.
        with socket.create_connection((machine.address, 80), timeout=20) as s:
            s.settimeout(20)
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            data = b""
            while chunk := s.recv(65536):
                data += chunk
        assert data.startswith(b"HTTP/1.1 200")
        wait_for_new_pid(machine, "httpd", old)
    echo.sendall(b"after")
    assert echo.recv(100) == b"after"
    echo.close()


def test_a_client_between_two_httpds_is_served(machine):
    """With SYNs sent all the while, none is refused across a kill."""
    stop = threading.Event()
    bad = []
    served = [0]

    def hammer():
        while not stop.is_set():
            try:
                with socket.create_connection((machine.address, 80), timeout=20) as s:
                    s.settimeout(20)
                    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    if s.recv(100).startswith(b"HTTP/1.1 200"):
                        served[0] += 1
            except ConnectionRefusedError as e:
                bad.append(e)
            except OSError:
                pass  # a connection of the dead server: reset is right

    threads = [threading.Thread(target=hammer, daemon=True) for _ in range(4)]
    for t in threads:
        t.start()
    try:
        old = machine.pid_of("httpd")
        before = served[0]
        machine.command(f"kill {old}")
        wait_for_new_pid(machine, "httpd", old)
        deadline = time.monotonic() + 20
        while served[0] < before + 50 and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        stop.set()
        for t in threads:
            t.join(30)
    assert not bad and served[0] >= before + 50
