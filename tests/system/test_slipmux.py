# SPDX-License-Identifier: MIT
"""com1=slipmux: console and IP packets on one line, on a machine that has no
other; and what a plain terminal sees of it."""
import os
import re
import signal
import socket
import subprocess
import threading
import urllib.request

import pytest

import vm

GUEST = "192.168.12.2"
HOST = "192.168.12.1"
OPTIONS = f"com1=slipmux slip={GUEST}:{HOST} start=echo"


class AttachConsole:
    """slipway-attach --slipmux, whose terminal this is."""

    def __init__(self, build, machine, tun):
        self.log = open(f"{machine.dir}/attach.log", "w+")
        self.process = subprocess.Popen([build.path("slipway-attach"), "--verbose", "--slipmux", "--tun", tun, "--local",
                                         HOST, "--peer", GUEST, "--reconnect", f"unix:{machine.dir}/com1"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)

    def recv(self, n):
        return os.read(self.process.stdout.fileno(), n)

    def sendall(self, data):
        os.write(self.process.stdin.fileno(), data)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        self.log.close()


@pytest.fixture(scope="module")
def shared(build):
    machine = vm.Vm(build, nic=None, console=None, cmdline=OPTIONS)
    with machine.closed_on_failure():
        machine.talk_through(AttachConsole(build, machine, "slipm0"))
        machine.wait_for(r"slipway# ", 90)
    yield machine
    print(machine.console_text()[-5000:])
    machine.close()


def test_boot_log_and_ready_line(shared):  # C-SLIP-9
    shared.wait_for(rf"^ready: {GUEST}", 30)
    text = shared.console_text()
    assert text.index("Slipway ") < text.index("com1: slipmux, 115200 baud") < text.index(f"ready: {GUEST}")
    assert "bytes lost" not in text


def test_typed_commands_beside_a_page_and_pings(shared):
    ping = subprocess.Popen(["ping", "-q", "-n", "-i", "0.02", "-c", "200", "-s", "400", "-W", "10", GUEST],
                            stdout=subprocess.PIPE, text=True)
    pages = []

    def fetch():
        for _ in range(5):
            with urllib.request.urlopen(f"http://{GUEST}/", timeout=60) as r:
                pages.append(r.read())
    t = threading.Thread(target=fetch)
    t.start()
    try:
        for n in range(20):
            assert shared.command(f"echo word{n}") == f"word{n}\n"
        assert "sl0" in shared.command("ifconfig")
    finally:
        t.join(60)
        out = ping.communicate(timeout=60)[0]
    # What comes in a burst, when the host was busy, may find the line's short queue full.
    assert int(re.search(r"(\d+) received", out).group(1)) >= 180, out
    assert len(pages) == 5 and all(p.endswith(b"</html>\n") for p in pages)
    assert " 0 errors" in shared.command("ifconfig").split("sl0")[1].split("rx ")[1].split("\n")[0]


def test_much_text_beside_an_echo(shared):
    """The whole log, three times over, and no packet is hurt."""
    with socket.create_connection((GUEST, 7), timeout=60) as s:
        s.settimeout(60)
        data = os.urandom(30000)
        t = threading.Thread(target=s.sendall, args=(data,))
        t.start()
        for _ in range(3):
            assert "com1: slipmux" in shared.command("dmesg", 60)
        back = b""
        while len(back) < len(data):
            back += s.recv(65536)
        t.join(10)
    assert back == data
    assert "bytes lost" not in shared.console_text()


def test_plain_terminal(build):
    """Without framing at the other end: the boot log is readable, and what is
    typed is heard."""
    machine = vm.Vm(build, nic=None, console="com1", cmdline=OPTIONS)
    with machine.closed_on_failure():
        machine.wait_for(r"^Slipway \d", 60)
        machine.wait_for(r"com1: slipmux, 115200 baud", 60)
        machine.wait_for(r"slipway# ", 60)
        start = len(machine.console_text())
        machine.write("echo heard me\n")
        machine.wait_for(r"heard me[^#]*heard me", 30, start)
    machine.close()


def test_a_panic_is_shown_without_frames(build):
    machine = vm.Vm(build, nic=None, console=None, cmdline=OPTIONS + " test=panic")
    with machine.closed_on_failure():
        machine.talk_through(AttachConsole(build, machine, "slipm1"))
        machine.wait_for(r"asked for by test=panic", 60)
        machine.wait_for(r"last log lines:\n(.*\n)*.*com1: slipmux", 60)
    machine.close()


def test_the_last_words_leave_before_the_machine_does(build):
    machine = vm.Vm(build, nic=None, console=None, cmdline=OPTIONS)
    with machine.closed_on_failure():
        machine.talk_through(AttachConsole(build, machine, "slipm2"))
        machine.wait_for(rf"^ready: {GUEST}", 90)
        machine.write("dmesg\npoweroff\n")
        machine.wait_exit(30)
        machine.wait_for(r"slipway# .*poweroff\n", 5)
    machine.close()
