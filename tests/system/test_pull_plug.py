# SPDX-License-Identifier: MIT
"""The far end vanishes for ten seconds in the middle of a transfer and returns:
TCP carries on, both ways."""
import hashlib
import socket
import threading
import time
import urllib.request

import pytest

import line
import vm
from test_slip import Attach

BYTES = 100_000  # 9 s at 115,200 baud
GUEST = "192.168.14.2"
HOST = "192.168.14.1"
AWAY = 10


@pytest.fixture(scope="module")
def cable(build):
    wire = line.SlowLine(build.work, 115200)
    body = build.random_file("plug.bin", BYTES)
    machine = vm.Vm(build, nic=None, com1_fd=wire.fd, extra=[(body, "www/plug.bin")],
                    cmdline=f"slip={GUEST}:{HOST} start=echo")
    with machine.closed_on_failure():
        wire.started()
        machine.wait_ready()
        attach = Attach(build, machine, "--reconnect", "--tun", "slipp", "--local", HOST, "--peer", GUEST, path=wire.path)
    yield wire, attach, body
    attach.close()
    machine.close()
    wire.close()
    print(machine.console_text()[-3000:])


def vanish(wire, how, passed):
    """When a third has passed: away, and back."""
    while passed() < BYTES // 3:
        time.sleep(0.1)
    setattr(wire, how, True)
    time.sleep(AWAY)
    setattr(wire, how, False)


@pytest.mark.parametrize("how", ["unplugged", "hung_up"])
def test_download_carries_on(cable, how):
    wire, attach, body = cable
    before = wire.from_guest
    t = threading.Thread(target=vanish, args=(wire, how, lambda: wire.from_guest - before))
    t.start()
    started = time.monotonic()
    with urllib.request.urlopen(f"http://{GUEST}/plug.bin", timeout=120) as r:
        data = r.read()
    seconds = time.monotonic() - started
    t.join()
    with open(body, "rb") as f:
        assert hashlib.sha256(data).digest() == hashlib.sha256(f.read()).digest()
    print(f"{how}: {seconds:.1f} s")
    assert AWAY + 7 < seconds < AWAY + 9 + 25
    if how == "hung_up":
        assert attach.text().count(" on unix:") == 2


def test_upload_carries_on(cable):
    wire, _, body = cable
    with open(body, "rb") as f:
        data = f.read()
    before = wire.to_guest
    t = threading.Thread(target=vanish, args=(wire, "unplugged", lambda: wire.to_guest - before))
    t.start()
    with socket.create_connection((GUEST, 7), timeout=120) as s:
        s.settimeout(120)
        sender = threading.Thread(target=s.sendall, args=(data,))
        sender.start()
        back = b""
        while len(back) < len(data):
            back += s.recv(65536)
        sender.join()
    t.join()
    assert back == data
