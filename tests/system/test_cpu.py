# SPDX-License-Identifier: MIT
"""A CPU that lacks what Slipway cannot do without: a sentence, on screen and line."""
import pytest

import screen

LACKING = {
    "pentium3": "no 64-bit mode",
    "qemu64,-nx": "no no-execute pages",
    "qemu64,-syscall": "no SYSCALL instruction",
    "qemu64,-tsc": "no time-stamp counter",
    "qemu64,-cmov": "no CMOV instruction",
    "qemu64,-clflush": "no CLFLUSH instruction",
    "qemu64,-fxsr": "no FXSAVE instruction",
    "qemu64,-sse2": "no SSE2",
}


@pytest.mark.parametrize("cpu", LACKING)
def test_sentence(start, cpu):
    machine = start(nic=None, cpu=cpu)
    machine.wait_for(rf"^Slipway: this CPU has {LACKING[cpu]}.*\n", 60)
    screen.wait_screen(machine, screen.vga_text, rf"^Slipway: this CPU has {LACKING[cpu]}")
    assert machine.process.poll() is None and "slipway#" not in machine.console_text()


@pytest.mark.parametrize("cpu", ["qemu64,-pat,-pge,-mce,-mca", "qemu64,-apic", "Nehalem", "max"])
def test_without_what_is_only_good_to_have(start, cpu):
    machine = start(nic=None, cpu=cpu)
    machine.wait_for("slipway# ", 60)
