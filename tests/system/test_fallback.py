# SPDX-License-Identifier: MIT
"""Old timers, old interrupt controllers, no ACPI: all of it still works."""
import hashlib
import socket
import subprocess
import urllib.request

import pytest

from conftest import NICS

WAYS = {
    "pit-pic": dict(cmdline="timer=pit irq=pic start=echo"),
    "pc-nohpet": dict(machine="pc,hpet=off", cmdline="start=echo"),
    "acpi-off": dict(cmdline="acpi=off start=echo"),
}


@pytest.fixture(params=[(way, nic) for way in WAYS for nic in NICS], ids=lambda p: f"{p[0]}-{p[1]}", scope="module")
def old(request, build, big_file):
    import vm
    way, nic = request.param
    machine = vm.Vm(build, nic=nic, extra=[(big_file, "www/big.bin")], mem=128, **WAYS[way])
    machine.way = way
    with machine.closed_on_failure():
        machine.wait_ready()
    yield machine
    machine.close()
    print(machine.console_text()[-6000:])


def test_says_what_it_chose(old):
    status = old.status()
    if old.way == "pit-pic":
        assert (status["clock"], status["event"], status["irq"]) == ("pit", "pit", "pic")
    if old.way == "acpi-off":
        assert status["irq"] == "pic"


def test_pings(old):
    r = subprocess.run(["ping", "-q", "-n", "-i", "0.002", "-c", "1000", "-W", "5", old.address], timeout=120,
                       stdout=subprocess.PIPE, text=True)
    assert "1000 received" in r.stdout, r.stdout


def test_big_file(old, big_file):
    with urllib.request.urlopen(f"http://{old.address}/big.bin", timeout=120) as r:
        body = r.read()
    with open(big_file, "rb") as f:
        assert hashlib.sha256(body).digest() == hashlib.sha256(f.read()).digest()


def test_connections(old):
    for _ in range(50):
        with urllib.request.urlopen(f"http://{old.address}/", timeout=20) as r:
            assert r.read().endswith(b"</html>\n")


def test_udp_echo(old):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect((old.address, 7))
        for size in range(0, 1473, 16):
            s.send(bytes(size))
            assert len(s.recv(2000)) == size


def test_netd_restart(old):
    pid = old.pid_of("netd")
    old.command(f"kill {pid}")
    with urllib.request.urlopen(f"http://{old.address}/", timeout=20) as r:
        assert r.status == 200


def test_zz_power_off(old):
    """Last: by ACPI, or by the debug-exit port where ACPI is off."""
    old.write("poweroff\n")
    code = old.wait_exit()
    assert (code != 0) if old.way == "acpi-off" else (code == 0)
