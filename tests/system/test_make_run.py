# SPDX-License-Identifier: MIT
"""`make run`, as someone at a terminal uses it: user-mode networking, the page
at the printed address, the prompt, Ctrl-A X."""
import os
import pty
import re
import select
import signal
import time
import urllib.request

import pytest


class Terminal:
    """make in a pseudo-terminal, as a session of its own."""

    def __init__(self, tree, *words):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
                    os.environ.pop(name, None)
                os.chdir(tree)
                os.execvp("make", ["make", "--no-print-directory", *words])
            finally:
                os._exit(127)

    def wait_for(self, pattern, timeout=30, start=0):
        deadline = time.monotonic() + timeout
        while not (m := re.compile(pattern, re.M).search(self.text, start)):
            left = deadline - time.monotonic()
            assert left > 0 and self._read(left), f"no {pattern!r} on the terminal; all of it:\n{self.text}"
        return m

    def _read(self, timeout):
        """False at the end of the program's output."""
        if not select.select([self.fd], [], [], timeout)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # what Linux says when the other side has closed
            data = b""
        self.text += re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", data.decode("latin-1").replace("\r", ""))
        return bool(data)

    def write(self, text):
        os.write(self.fd, text.encode())

    def wait_exit(self, timeout=15):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self._read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = None
                return os.waitstatus_to_exitcode(status)
        raise AssertionError(f"it goes on; all of its terminal:\n{self.text}")

    def close(self):
        if self.pid:
            os.killpg(self.pid, signal.SIGTERM)  # tools/run's trap tidies up, QEMU ends
            try:
                self.wait_exit(10)
            except AssertionError:
                os.killpg(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def make(build):
    """make(words...): a Terminal in the build tree that ends with the test."""
    terminals = []

    def run(*words):
        terminals.append(Terminal(build.tree, *words))
        return terminals[-1]

    yield run
    for t in terminals:
        t.close()


def test_url_prompt_and_exit(make, tmp_path):
    line, pcap = tmp_path / "line", tmp_path / "card.pcap"
    t = make("run", "MEM=64", f"SLIP={line}", f"PCAP={pcap}")
    url = t.wait_for(r"^web: +(http://127\.0\.0\.1:\d+/)\n", 60).group(1)
    assert f"serial:  {line} " in t.wait_for(r"^serial: .*\n").group(0)
    t.wait_for(r"^ready: 10\.0\.2\.15\n", 60)
    t.wait_for(r"^slipway# ", 60)
    assert line.is_socket()
    with urllib.request.urlopen(url, timeout=20) as r:
        assert r.status == 200 and r.read().endswith(b"</html>\n")
    start = len(t.text)
    t.write("uptime\r")
    t.wait_for(r"^Slipway .* up 0:00", 20, start)
    t.write("\x01x")
    assert t.wait_exit() == 0
    assert not line.exists(), "the serial line's socket is left behind"
    assert pcap.stat().st_size > 1000


@pytest.mark.parametrize("words, message", [
    (["NIC=ne2000"], "run: NIC=ne2000: virtio, virtio-legacy, rtl8139, e1000, e1000e or none"),
    (["MEM=lots"], "run: MEM=lots: a number from 1 to 999999"),
    (["PORT=99999"], "run: PORT=99999: a number from 1 to 65535"),
    (["MACHINE=vax"], "run: MACHINE=vax: q35 or pc"),
    (["NIC=none", "PCAP=x"], "run: PCAP needs a network card"),
])
def test_wrong_settings_are_named(make, words, message):
    t = make("run", *words)
    assert t.wait_exit(60) != 0
    assert message in t.text
