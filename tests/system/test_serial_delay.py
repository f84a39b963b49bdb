# SPDX-License-Identifier: MIT
"""How long the serial port's FIFO waits while the Ethernet card is at full load:
the kernel's own record, in virtual time that follows the instructions.
SLIPWAY_LONG=1: for a minute instead of ten seconds."""
import os
import re
import socket
import threading
import time
import urllib.request

import pytest

import line
import vm
from test_slip import Attach

pytestmark = pytest.mark.alone

SECONDS = 60 if os.environ.get("SLIPWAY_LONG") else 10
GUEST = "192.168.15.2"
HOST = "192.168.15.1"


def record(machine):
    """(handler's worst, events' worst) in microseconds, and serial overruns."""
    text = machine.command("ifconfig").split("sl0")[1].split("eth0")[0]
    m = re.search(r"FIFO empty after (\d+) us, interrupts late by (\d+) us", text)
    lost = re.search(r"(\d+) overrun", text)
    return int(m.group(1)), int(m.group(2)), int(lost.group(1)) if lost else 0


def test_the_fifo_waits_less_than_600_us(build, big_file):  # C-SLIP-11
    wire = line.SlowLine(build.work, 115200)
    machine = vm.Vm(build, nic="virtio-modern", com1_fd=wire.fd, extra=[(big_file, "www/big.bin")], mem=128,
                    icount="shift=1,sleep=on", cmdline=f"slip={GUEST}:{HOST} start=echo")
    attach = None
    try:
        wire.started()
        machine.wait_ready(180)
        attach = Attach(build, machine, "--tun", "slipd", "--local", HOST, "--peer", GUEST, path=wire.path)
        stop = time.monotonic() + SECONDS
        fetched = [0]

        def fetch():
            while time.monotonic() < stop:
                with urllib.request.urlopen(f"http://{machine.address}/big.bin", timeout=120) as r:
                    while chunk := r.read(1 << 16):
                        fetched[0] += len(chunk)
                        if time.monotonic() > stop:
                            break
        loads = [threading.Thread(target=fetch) for _ in range(2)]
        for t in loads:
            t.start()
        received = wire.to_guest
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            while time.monotonic() < stop:  # as much as the line takes, and a little more
                s.sendto(os.urandom(900), (GUEST, 7))
                time.sleep(0.075)
        for t in loads:
            t.join(60)
        received = wire.to_guest - received
        drain, late, overruns = record(machine)
        print(f"Ethernet {fetched[0] / SECONDS / 1e6:.1f} MB/s, SLIP in {received / SECONDS:.0f} bytes/s, "
              f"FIFO empty after {drain} us, late by {late} us, overruns {overruns}")
        assert received > 11520 * SECONDS * 0.8
        assert fetched[0] > 10e6
        assert drain + late < 600
        assert overruns == 0
    finally:
        if attach:
            attach.close()
        machine.close()
        wire.close()
