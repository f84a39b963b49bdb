# SPDX-License-Identifier: MIT
"""SLIP on COM1, joined to this host by slipway-attach."""
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request

import pytest

import netns
from conftest import LONG, WAYS, options_of

GUEST = "192.168.7.2"
HOST = "192.168.7.1"


class Attach:
    def __init__(self, build, machine, *options, path=None):
        self.log = open(f"{machine.dir}/attach.log", "w+")
        self.process = subprocess.Popen([build.path("slipway-attach"), "--verbose", *options,
                                         f"unix:{path or machine.dir + '/com1'}"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 10
        while " on unix:" not in self.text():
            assert self.process.poll() is None and time.monotonic() < deadline, self.text()
            time.sleep(0.05)

    def text(self):
        with open(self.log.name) as f:
            return f.read()

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(10)
        self.log.close()
        return code


@pytest.fixture(scope="module")
def mib(build):
    return build.random_file("mib.bin", 1 << 20)


@pytest.fixture(scope="module", params=list(WAYS) if LONG else ["default", "pit-pic", "smp2"])
def cable(build, mib, request):
    import vm
    machine = vm.Vm(build, extra=[(mib, "www/mib.bin")], **options_of((request.param, "virtio"), "start=echo"))
    with machine.closed_on_failure():
        machine.wait_ready()
        attach = Attach(build, machine)
    yield machine
    assert attach.close() == 0
    machine.close()
    print(machine.console_text()[-6000:])


def test_ready_line(cable):
    cable.wait_for(rf"^ready: {GUEST}")


def test_ping(cable):
    r = subprocess.run(["ping", "-q", "-n", "-i", "0.05", "-c", "100", "-s", "900", "-W", "10", GUEST], timeout=120,
                       stdout=subprocess.PIPE, text=True)
    assert "100 received" in r.stdout, r.stdout


def test_page(cable):
    with urllib.request.urlopen(f"http://{GUEST}/", timeout=60) as r:
        assert r.read().endswith(b"</html>\n")


def test_one_mib_from_the_guest(cable, mib):
    with urllib.request.urlopen(f"http://{GUEST}/mib.bin", timeout=300) as r:
        body = r.read()
    with open(mib, "rb") as f:
        assert hashlib.sha256(body).digest() == hashlib.sha256(f.read()).digest()


def test_one_mib_to_the_guest_and_back(cable, mib):
    with open(mib, "rb") as f:
        data = f.read()
    with socket.create_connection((GUEST, 7), timeout=60) as s:
        s.settimeout(300)
        back = bytearray()

        def send():
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        t = threading.Thread(target=send, daemon=True)
        t.start()
        while chunk := s.recv(65536):
            back += chunk
        t.join(60)
    assert hashlib.sha256(back).digest() == hashlib.sha256(data).digest()


def test_ping_from_the_guest(cable):
    assert "4 received" in cable.command(f"ping {HOST}", 60)


def noise():
    """Each kind of it once, some 180 KB; a good frame may follow anywhere."""
    yield os.urandom(60000)
    yield b"\xc0" + b"\x45" * 50000                                       # endless
    yield b"\xdb\x00\xdb\xff\xc0\xdb\xc0" * 1000 + b"\xc0" * 100           # broken escapes
    yield (b"\xc0\x45" + bytes(range(0x80)) * 13) * 10                      # too long
    yield b"".join(b"\xc0\x45" + os.urandom(n) for n in range(300))         # halves
    yield b"".join(b"\xc0" + bytes([0x70 + n % 144]) + os.urandom(n % 60) for n in range(300))  # "compressed"
    yield b"\xc0"


@pytest.mark.parametrize("number, options", enumerate(["", "slip.vj=on"]))
def test_noise_on_the_line(build, start, number, options):  # C-SLIP-2
    """Some MiB of noise; then a good frame. (100 MiB: test_uart_line.c.)"""
    guest, host = f"192.168.{30 + number}.2", f"192.168.{30 + number}.1"
    machine = start(cmdline=f"slip={guest}:{host} {options}".strip())
    machine.wait_ready()
    machine.wait_for(f"ready: {guest}\n")  # what comes faster than any line has no mercy with who is at work
    machine.command("uptime")
    line = machine.com1()
    threading.Thread(target=lambda: [None for _ in iter(lambda: line.recv(65536), b"")], daemon=True).start()
    for _ in range(24 if os.environ.get("SLIPWAY_LONG") else 6):
        for piece in noise():
            line.sendall(piece)
    time.sleep(1)
    line.shutdown(socket.SHUT_RDWR)
    line.close()
    report = machine.command("ifconfig")
    # How much gets through a FIFO of 16 bytes at such a rate is the host's affair.
    assert int(re.search(r"(\d+) oversize", report).group(1)) > 10
    assert int(re.search(r"(\d+) bad escapes", report).group(1)) > 1000
    attach = Attach(build, machine, "--tun", f"slipn{number}", "--local", host, "--peer", guest,
                    *(["--cslip=on"] if "vj" in options else []))
    try:
        r = subprocess.run(["ping", "-q", "-n", "-c", "5", "-i", "0.2", "-W", "10", guest], timeout=60,
                           stdout=subprocess.PIPE, text=True)
        assert "5 received" in r.stdout
    finally:
        attach.close()


def test_compressed_headers(build, mib, start):
    """Both ends compress from the start; and a guest that waits for its peer."""
    for number, (guest_mode, host_mode) in enumerate((("on", "on"), ("auto", "on"), ("on", "auto"))):
        guest, host = f"192.168.{10 + number}.2", f"192.168.{10 + number}.1"
        machine = start(cmdline=f"slip={guest}:{host} slip.vj={guest_mode} slip.mtu=576 start=echo",
                        extra=[(mib, "www/mib.bin")])
        machine.wait_ready()
        tun = f"slipc{number}"
        attach = Attach(build, machine, "--tun", tun, "--local", host, "--peer", guest, "--mtu", "576",
                        f"--cslip={host_mode}")
        try:
            with urllib.request.urlopen(f"http://{guest}/mib.bin", timeout=300) as r:
                body = r.read()
            with open(mib, "rb") as f:
                assert hashlib.sha256(body).digest() == hashlib.sha256(f.read()).digest()
            m = re.search(r"compressed: rx (\d+) tx (\d+)", machine.command("ifconfig"))
            assert int(m.group(1)) > 100 and int(m.group(2)) > 1000, m.group(0)
            status = subprocess.run([build.path("slipway-attach"), "--tun", tun, "--status"], timeout=20,
                                    stdout=subprocess.PIPE, text=True).stdout
            assert re.search(r"is open.*headers compressed: in [1-9]\d{3}.* 0 damaged", status, re.S), status
        finally:
            attach.close()
            machine.close()


def test_attach_without_root(build, start):
    """Given a TUN device that is its user's, slipway-attach needs no rights."""
    guest, host, nobody = "192.168.13.2", "192.168.13.1", 65534
    with open("/proc/self/uid_map") as f:
        if f.read().split()[2] == "1":
            pytest.skip("this namespace has one user only")
    machine = start(cmdline=f"slip={guest}:{host}")
    machine.wait_ready()
    netns.run("ip", "tuntap", "add", "dev", "slipn", "mode", "tun", "user", str(nobody))
    netns.run("ip", "addr", "add", host, "peer", guest, "dev", "slipn")
    netns.run("ip", "link", "set", "slipn", "mtu", "1006", "up")
    shutil.copy(build.path("slipway-attach"), machine.dir)
    os.chmod(machine.dir, 0o755)
    os.chmod(f"{machine.dir}/com1", 0o777)
    attach = subprocess.Popen(["./slipway-attach", "--tun", "slipn", "--no-config", "--local", host, "--peer", guest,
                               "unix:com1"], cwd=machine.dir, user=nobody, group=nobody, extra_groups=[],
                              stdin=subprocess.DEVNULL)
    try:
        ping = ["ping", "-q", "-n", "-i", "0.2", "-W", "10", guest]
        subprocess.run([*ping, "-c", "1"], timeout=60)  # it may leave before the line is joined
        r = subprocess.run([*ping, "-c", "5"], timeout=60, stdout=subprocess.PIPE, text=True)
        assert attach.poll() is None and "5 received" in r.stdout, r.stdout
    finally:
        attach.terminate()
        assert attach.wait(10) == 0
        netns.run("ip", "link", "del", "slipn")


def test_attach_says_what_is_wrong(build, tmp_path):
    def run(*words):
        r = subprocess.run([build.path("slipway-attach"), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, timeout=20)
        assert r.returncode != 0
        return r.stdout
    assert "no-such" in run(str(tmp_path / "no-such"))
    assert "neither a tty nor a socket" in run(__file__)
    assert "--mtu 9000" in run("--mtu", "9000", "/dev/null")
    assert "not a serial line" in run("/dev/null")
    assert "want tcp:HOST:PORT" in run("tcp:nowhere")
    assert "--cslip=maybe" in run("--cslip=maybe", "/dev/null")
    assert "none runs for slip99" in run("--tun", "slip99", "--status")
    assert "usage" in run()
