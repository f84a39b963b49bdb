# SPDX-License-Identifier: MIT
"""Old timers, old interrupt controllers, no ACPI: what was chosen, and the way
out. (That all else works so, test_network, test_restart and test_slip show.)"""
import pytest

from conftest import EVERYWHERE, options_of


@pytest.mark.parametrize("param", EVERYWHERE)
def test_says_what_it_chose_and_ends(start, param):
    machine = start(**options_of(param, "")).wait_ready()
    status = machine.status()
    way = param[0]
    if way == "default":
        assert (status["clock"], status["event"], status["irq"]) == ("tsc", "lapic", "ioapic")
    if way == "pit-pic":
        assert (status["clock"], status["event"], status["irq"]) == ("pit", "pit", "pic")
    if way == "acpi-off":
        assert (status["event"], status["irq"]) == ("pit", "pic")
    machine.write("poweroff\n")
    code = machine.wait_exit()
    # By ACPI QEMU ends with 0; by the debug-exit port, which always is odd, without.
    assert (code % 2 == 1) if way == "acpi-off" else (code == 0)
