# SPDX-License-Identifier: MIT
"""A headless machine comes back: after a panic, after a hang, and it says why."""
import re
import time

import pytest

PREVIOUS = r"keep: the run before ended "
PROMPT = r"^ready: .*\nslipway# "
WATCHDOG = ["-device", "i6300esb", "-action", "watchdog=reset"]


BANNER = r"(?<!\| )Slipway \d"  # not one that is quoted


def wait_boot(machine, number, timeout=120):
    """Position in the console's text where the boot with this number begins."""
    start = 0
    for _ in range(number):
        start = machine.wait_for(BANNER, timeout, start).end()
    return start


@pytest.mark.parametrize("firmware,mem,machine_type", [("bios", 16, "pc"), ("bios", 512, "q35"), ("uefi", 128, "q35")])
def test_panic_reboots_and_the_log_is_kept(start, firmware, mem, machine_type):
    machine = start(nic=None, reboot=True, firmware=firmware, mem=mem, machine=machine_type,
                    cmdline="test=panic panic=reboot,1")
    first = machine.wait_for(r"^panic: asked for by test=panic", 120)
    then = time.monotonic()
    second = machine.wait_for(r"^the machine restarts\n", 60, first.end()).end()
    machine.wait_for(BANNER, 120, second)
    assert time.monotonic() - then > 0.9
    text = machine.wait_for(PREVIOUS + r"in a panic; its last lines:\n(?:.*\n)*?.*\| the machine restarts", 60,
                            second).group(0)
    assert "| panic: asked for" in text and "selftest_run" in text  # the backtrace was kept too


def test_panic_halts(start):
    machine = start(nic=None, reboot=True, cmdline="test=panic panic=halt", qemu_args=["-device", "i6300esb"])
    machine.wait_for(r"^panic: asked for by test=panic")
    assert machine.wait_exit() % 2 == 1  # under test= it leaves by the debug-exit port


def test_log_of_a_run_that_was_reset(start):
    """C-LOG-2: nothing of the run before is lost to whoever asks for memory."""
    machine = start(nic=None, reboot=True)
    machine.wait_for(PROMPT)
    assert "no log" in machine.command("dmesg -p")
    assert "keep:" not in machine.console_text()
    machine.qmp("system_reset")
    second = wait_boot(machine, 2)
    machine.wait_for(PREVIOUS + "without a word", 60, second)
    machine.wait_for(PROMPT, 60, second)
    first_log = machine.command("dmesg -p")
    assert "Slipway " in first_log and "com2: console" in first_log and "keep:" not in first_log
    machine.write("reboot\n")
    third = wait_boot(machine, 3)
    machine.wait_for("the log of the run before is kept", 60, third)
    machine.wait_for(PROMPT, 60, third)
    assert PREVIOUS in machine.command("dmesg -p")  # the second run's


@pytest.mark.parametrize("cmdline", ["test=hang", "test=hang-init"])
@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_watchdog_resets_what_hangs(start, cmdline, firmware):
    machine = start(nic=None, reboot=True, firmware=firmware, mem=128, cmdline=cmdline + " watchdog=3",
                    qemu_args=WATCHDOG)
    machine.wait_for("watchdog: i6300esb, 3 s", 120)
    second = wait_boot(machine, 2)
    machine.wait_for(PREVIOUS + "without a word", 60, second)
    machine.wait_for(r"\| .*(test=hang: nothing goes on|watchdog: i6300esb)", 60, second)
    machine.wait_for("it was the watchdog that reset the machine", 60, second)


def test_watchdog_is_fed(start):
    """Three times its time passes, and nothing happens; init's end is not the end."""
    machine = start(nic=None, cmdline="watchdog=2", qemu_args=WATCHDOG)
    machine.wait_for(PROMPT)
    time.sleep(6)
    assert "idle" in machine.command("uptime") and machine.process.poll() is None


def test_watchdog_off(start):
    machine = start(nic=None, cmdline="watchdog=off test=hang", qemu_args=WATCHDOG)
    machine.wait_for("test=hang: nothing goes on")
    time.sleep(4)
    assert len(re.findall(BANNER, machine.console_text())) == 1 and "watchdog:" not in machine.console_text()
