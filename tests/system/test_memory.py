# SPDX-License-Identifier: MIT
"""Who owns memory, as the shell shows it."""
import re
import time

import pytest


def owners(machine):
    text = machine.command("free")
    total, used, free = map(int, re.search(r"memory: (\d+) KiB, used (\d+) KiB, free (\d+) KiB", text).groups())
    lines = {name: int(n) for n, name in re.findall(r"^ *(\d+) KiB  (.+?)\r?$", text, re.M)}
    return total, used, free, lines


@pytest.mark.parametrize("mem", [32, 64])
def test_every_page_has_an_owner(start, mem):
    machine = start(nic="virtio", mem=mem)
    machine.wait_for("slipway# ")
    total, used, free, lines = owners(machine)
    assert used + free == total
    assert sum(lines.values()) == total, lines
    assert lines["free"] == free
    assert all(lines[name] > 0 for name in ("page tables", "kernel objects", "processes", "net rings", "devices"))


def test_a_server_that_dies_leaves_nothing(start):
    """httpd is killed and comes back, with rings of its own, again and again."""
    machine = start(nic="virtio").wait_ready()

    def settled(before):
        """Rings and objects once a new httpd has its own, or what they were at the end."""
        deadline = time.monotonic() + 10
        while True:
            _, _, _, lines = owners(machine)
            now = (lines["net rings"], lines["memory objects"], lines["devices"])
            if now == before or time.monotonic() > deadline:
                return now

    _, _, _, lines = owners(machine)
    before = (lines["net rings"], lines["memory objects"], lines["devices"])
    for _ in range(6):
        pid = machine.pid_of("httpd")
        machine.command(f"kill {pid}")
        machine.wait_for(rf"httpd\[{pid}\]: killed by signal")
        assert settled(before) == before


def test_limits_are_shown(start):
    machine = start(nic=None)
    machine.wait_for("slipway# ")
    text = machine.command("ps")
    assert re.search(r"^ +PID .*MEMORY +LIMIT ", text, re.M)
    for line in text.splitlines():
        if re.match(r"^ +\d+ .*netd", line):
            assert re.search(r" [\d.]+[KMG]?i?B? ", line), line
