# SPDX-License-Identifier: MIT
"""SLIP at 38,400 baud: what of the line is payload, and what is left for a
keystroke beside a download. bench/slip prints the same for longer transfers."""
import hashlib
import socket
import threading
import time
import urllib.request

import pytest

import line
import vm
from test_slip import Attach

pytestmark = pytest.mark.alone

BAUD = 38400
BYTES = 96 * 1024  # half a minute
GUEST = "192.168.9.2"
HOST = "192.168.9.1"


@pytest.fixture(scope="module")
def body(build):
    return build.random_file("slow.bin", BYTES)


class Cable:
    """A machine behind a slow line, and this host at its other end."""

    def __init__(self, build, body, mtu, options="", attach=()):
        self.line = line.SlowLine(build.work, BAUD)
        self.vm = vm.Vm(build, nic=None, com1_fd=self.line.fd, extra=[(body, "www/slow.bin")],
                        cmdline=f"com1=slip,{BAUD} slip={GUEST}:{HOST} slip.mtu={mtu} start=echo {options}".strip())
        self.attach = None
        with self.closed_on_failure():
            self.line.started()
            self.vm.wait_ready()
            self.attach = Attach(build, self.vm, "--tun", "slip2", "--local", HOST, "--peer", GUEST, "--mtu", str(mtu),
                                 *attach, path=self.line.path)

    def closed_on_failure(self):
        return self.vm.closed_on_failure()

    def close(self):
        if self.attach:
            self.attach.close()
        self.vm.close()
        self.line.close()

    def download(self):
        """The file by HTTP: its bytes, and the share of the line's bytes that
        they were."""
        before = self.line.from_guest
        with urllib.request.urlopen(f"http://{GUEST}/slow.bin", timeout=300) as r:
            data = r.read()
        return data, len(data) / (self.line.from_guest - before)


def echo_times(stop, out):
    """Round trips of 32 bytes to the UDP echo server, one each half second."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        n = 0
        while not stop.wait(0.5):
            n += 1
            text = b"%032d" % n
            start = time.monotonic()
            s.sendto(text, (GUEST, 7))
            try:
                while s.recv(100) != text:
                    pass
                out.append(time.monotonic() - start)
            except socket.timeout:
                out.append(float("inf"))


CASES = {"plain": (1006, "", 0.92), "compressed": (576, "slip.vj=on", 0.95)}


@pytest.fixture(scope="module", params=list(CASES))
def cable(build, body, request):
    mtu, options, share = CASES[request.param]
    c = Cable(build, body, mtu, options, ["--cslip=on"] if options else [])
    c.share = share
    yield c
    c.close()
    print(c.vm.console_text()[-3000:])


def test_the_line_carries_payload_and_an_echo_comes_back_beside_it(cable, body):
    stop, times = threading.Event(), []
    cable.download()  # settles the round-trip time
    t = threading.Thread(target=echo_times, args=(stop, times))
    before = cable.line.from_guest
    t.start()
    started = time.monotonic()
    data, _ = cable.download()
    seconds = time.monotonic() - started
    stop.set()
    t.join(20)
    sent = cable.line.from_guest - before
    echoes = len(times) * (32 + 28 + 2)
    share = len(data) / (sent - echoes)
    with open(body, "rb") as f:
        assert hashlib.sha256(data).digest() == hashlib.sha256(f.read()).digest()
    print(f"payload {share:.1%} of the line's bytes, line busy {sent / 3840 / seconds:.1%}, "
          f"echo worst {max(times):.3f} s of {len(times)}")
    assert share >= cable.share  # C-SLIP-8
    assert max(times) < 0.7
