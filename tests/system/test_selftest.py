# SPDX-License-Identifier: MIT
"""Tests inside the machine: the kernel's own, and those of a process."""
import re

import pytest

SEVERAL = pytest.mark.alone  # CPUs that the host has to run at the same time
EACH = [1, pytest.param(2, marks=SEVERAL), pytest.param(4, marks=SEVERAL)]


def points(text):
    """[(good?, what)] of the TAP lines on a console."""
    return [(m.group(1) is None, m.group(2)) for m in re.finditer(r"^(not )?ok \d+ - (.*)$", text, re.M)]


def run(machine, timeout=120):
    code = machine.wait_exit(timeout)
    machine._reader.join(5)
    found = points(machine.console_text())
    assert found, machine.console_text()[-3000:]
    bad = [what for good, what in found if not good]
    assert not bad, bad
    assert code % 2 == 1 and "0 failed" in machine.console_text()
    return found


@pytest.mark.parametrize("smp", EACH)
def test_kernel(start, smp):
    assert len(run(start(cmdline="test=all", smp=smp, nic=None))) > 5


@pytest.mark.parametrize("smp", EACH)
def test_ten_thousand_processes_leave_no_page(start, smp):
    assert len(run(start(cmdline="test=cycles log=error", smp=smp, nic=None), timeout=300)) == 1


def test_messages_at_every_instant(start):
    """Time follows the instructions here, so the sweeps go one by one."""
    assert len(run(start(cmdline="test=races", nic=None, icount="shift=0,sleep=off"))) == 9


def test_registry_as_a_process_finds_it(start):
    assert len(run(start(cmdline="test=registry"))) == 12


def test_a_failing_test_is_told_apart(start):
    """An unknown name runs nothing: that is a failure, not a pass."""
    machine = start(cmdline="test=no-such-test")
    code = machine.wait_exit(120)
    assert code % 2 == 1
    ok = start(cmdline="test=registry")
    assert ok.wait_exit(120) != code


@pytest.mark.alone
@pytest.mark.parametrize("smp, options",
                         [(1, ""), (2, ""), (4, ""), (2, " event=hpet"), (4, " event=pit")])
def test_processors(start, smp, options):
    assert len(run(start(cmdline="test=smp,tlb" + options, smp=smp, nic=None), timeout=400)) > 5


@pytest.mark.alone
@pytest.mark.parametrize("smp, name", [(2, "absent_cpu"), (4, "absent_cpu"), (2, "skewed_tsc")])
def test_processors_that_are_not_right(start, smp, name):
    assert len(run(start(cmdline="test=" + name, smp=smp, nic=None))) == 1


@pytest.mark.parametrize("smp, more", [(1, 4), (2, 4)])
def test_processors_that_may_come_later(start, smp, more):
    """The MADT names them, and says that they are not there (ACPI 6.4, 5.2.12.2)."""
    machine = start(nic=None, smp=f"{smp},maxcpus={more}")
    machine.wait_for("slipway# ", 60)
    assert f"acpi: {smp} CPUs" in machine.console_text()


@pytest.mark.parametrize("smp", EACH)
def test_a_million_hostile_calls(start, smp):
    """Neither the kernel nor a witness beside it suffers (another seed: fuzz-seed=N among the boot options)."""
    machine = start(cmdline="test=fuzz log=error", smp=smp, nic=None)
    assert len(run(machine, timeout=300)) == 3
