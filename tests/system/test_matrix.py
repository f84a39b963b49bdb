# SPDX-License-Identifier: MIT
"""Every firmware, machine, card, clock and interrupt path, in pairs.

`make check` runs a few cells in which each value occurs; `make check-matrix`
runs cells in which each pair of values occurs. A cell boots, gets an address,
serves a page, sleeps 250 ms by another clock of the machine, and switches off.
What the machine lacks must be made up for, and said.
"""
import os
import re
import urllib.request

import pytest

import pairs

DIMS = {
    "irq": ["auto", "msix", "msi", "ioapic", "pic", "poll"],
    "clock": ["auto", "tsc", "hpet", "pmtmr", "pit"],
    "event": ["auto", "deadline", "lapic", "hpet", "pit"],
    "nic": ["virtio-modern", "virtio-legacy", "rtl8139", "rtl8139-cplus", "e1000", "e1000e"],
    "mem": [64, 16, 256, 4096],
    "cpu": ["qemu64", "Nehalem", "max"],
    "smp": [1, 2, 4],
    "machine": ["q35", "pc"],
    "firmware": ["bios", "uefi"],
    "pci": ["ecam", "ports"],
    "acpi": ["on", "off"],
    "hpet": ["on", "off"],
    "icount": [None, "shift=1,sleep=on"],
}
SLEEP_MS = 250
MODES = "msix|msi|ioapic|pic|poll"


def allowed(cell):
    if cell.get("firmware") == "uefi" and cell.get("mem") == 16:
        return False  # UEFI itself needs more
    # With -icount QEMU before 8.1 can leave one of several processors without a
    # turn for ever: its budget is the time to the next timer, and whoever always
    # ends his blocks early (a loop of system calls) spends it alone.
    return not (cell.get("icount") and cell.get("smp", 1) > 1)


FULL = os.environ.get("MATRIX") == "all"
ALL = pairs.all_pairs(DIMS, allowed)
# OVMF takes a minute where instructions are time: not in the short run.
SHORT = pairs.each_value(DIMS, [c for c in ALL if not (c["firmware"] == "uefi" and c["icount"])])
CELLS = ALL if FULL else SHORT
table = []


def name(cell):
    return "-".join(str(v).split(",")[0] for v in cell.values())


def options(cell):
    machine = cell["machine"] + (",hpet=off" if cell["hpet"] == "off" else "")
    words = [f"{k}={cell[k]}" for k in ("irq", "clock", "event", "pci", "acpi") if cell[k] not in ("auto", "on")]
    if cell["nic"] == "rtl8139-cplus":
        words.append("rtl8139=cplus")
    return dict(machine=machine, firmware=cell["firmware"], nic=cell["nic"].removesuffix("-cplus"), cpu=cell["cpu"], smp=cell["smp"],
                mem=cell["mem"], icount=cell["icount"], cmdline=" ".join(words))


def check_clock(cell, chosen, log):
    acpi, hpet = cell["acpi"] == "on", cell["acpi"] == "on" and cell["hpet"] == "on"
    there = {"tsc": True, "hpet": hpet, "pmtmr": acpi, "pit": True}
    want = "tsc" if cell["clock"] == "auto" else cell["clock"]
    if want == "tsc" and chosen != "tsc":  # a busy host upset the calibration; then that is said
        assert re.search("the TSC cannot be trusted here|the TSC ran away|time-stamp counters differ", log)
    elif there[want]:
        assert chosen == want
    else:
        assert chosen == "tsc" and re.search(f"clock: no {want} here, the TSC serves", log)


def check_event(cell, chosen, log):
    acpi = cell["acpi"] == "on"
    there = {"deadline": False, "lapic": acpi, "hpet": acpi and cell["hpet"] == "on", "pit": True}  # TCG has no deadline
    want = cell["event"]
    best = next(e for e in there if there[e])
    if want != "auto" and not there[want]:
        assert re.search(f"event: {want} does not serve here", log)
    if want == "auto" or not there[want]:
        assert chosen == best
    else:
        assert chosen == want


def check_irq(cell, controller, mode, log):
    """Of the card: MSI-X, MSI, a line of the controller, or polling."""
    want = cell["irq"]
    has = {"virtio-modern": ["msix"], "virtio-legacy": ["msix"], "e1000e": ["msix", "msi"]}.get(cell["nic"], [])
    line = "ioapic" if cell["acpi"] == "on" and want != "pic" else "pic"
    assert controller == line
    if want == "poll":
        assert mode == "poll" and "is polled every millisecond" in log
        return
    if line == "pic" and want in ("msix", "msi", "ioapic"):
        assert f"irq: no IOAPIC for irq={want}, the 8259 serves" in log
    order = {"auto": ["msix", "msi"], "msix": ["msix", "msi"], "msi": ["msi"]}.get(want, []) if line == "ioapic" else []
    best = next((m for m in order if m in has), line)
    assert mode == best
    if line == "ioapic" and want in ("msix", "msi") and best != want:
        assert re.search(rf"irq: \S+ has no {'MSI-X' if want == 'msix' else 'MSI'}", log)


def check_pci(cell, chosen, log):
    can = cell["machine"] == "q35" and cell["acpi"] == "on"
    assert chosen == ("ecam" if can and cell["pci"] == "ecam" else "ports")
    if cell["pci"] == "ecam" and not can:
        assert "pci: no usable ECAM window here, the ports serve" in log


def check_cpus(cell, log):
    if cell["smp"] == 1 or cell["acpi"] == "off":
        assert "CPUs run" not in log
    elif cell["irq"] == "pic":
        assert f"smp: one of {cell['smp']} CPUs, since the 8259 serves" in log
    else:
        assert f"smp: {cell['smp']} of {cell['smp']} CPUs run" in log


def slept(machine, serving):
    """{clock: milliseconds} of a sleep, without the clock that it was timed by."""
    found = {}
    for line in machine.command(f"clocks {SLEEP_MS}", 60).splitlines():
        if line.startswith(f"slept {SLEEP_MS} ms"):
            found.update({w: float(t) for w, t in re.findall(r"(\w+) (\d+\.\d+)", line) if w != serving})
    return found


def check_sleep(cell, machine, serving):
    """Never early; within 1 % when the guest's time is its instructions, 10 % (in
    one of a few, for a busy host is late) otherwise."""
    share = 0.01 if cell["icount"] else 0.10
    for _ in range(8):
        found = slept(machine, serving)
        if not found:
            continue
        assert all(ms > SLEEP_MS * 0.99 for ms in found.values()), found
        if all(ms < SLEEP_MS * (1 + share) for ms in found.values()):
            return found
    raise AssertionError(found)


@pytest.mark.parametrize("cell", CELLS, ids=name)
def test_cell(start, cell):
    machine = start(**options(cell))
    machine.wait_ready(600 if cell["firmware"] == "uefi" and cell["icount"] else 240)
    with urllib.request.urlopen(f"http://{machine.address}/", timeout=60) as r:
        assert b"</html>" in r.read()
    status, log = machine.status(), machine.console_text()
    mode = re.search(rf"irq: (?:virtio-net|rtl8139|e1000\w*) by ({MODES})", log).group(1)
    found = check_sleep(cell, machine, status["clock"])
    table.append([*(str(v).split(",")[0] for v in cell.values()), status["clock"], status["event"], mode, status["pci"],
                  " ".join(f"{c}:{ms:.0f}" for c, ms in found.items())])
    check_clock(cell, status["clock"], log)
    check_event(cell, status["event"], log)
    check_irq(cell, status["irq"], mode, log)
    check_pci(cell, status["pci"], log)
    check_cpus(cell, log)
    machine.write("poweroff\n")
    code = machine.wait_exit(60)
    # By ACPI QEMU ends with 0; by the debug-exit port, which always is odd, without.
    assert code == 0 if cell["acpi"] == "on" else code % 2 == 1


def test_every_pair_is_there():
    """The generator keeps its word, also for the cells that a short run leaves out."""
    assert all(allowed(c) for c in ALL)
    assert set().union(*(pairs.covered(c) for c in ALL)) >= pairs.wanted(DIMS, allowed)
    assert len(ALL) < 60
    assert len(SHORT) < 12 and all(any(c[n] == v for c in SHORT) for n in DIMS for v in DIMS[n])


def test_table(capsys):
    """Not a test of its own: shows what each cell chose."""
    head = [*DIMS, "clock", "event", "card", "pci", "slept, ms"]
    widths = [max(len(row[i]) for row in [head, *table]) for i in range(len(head))]
    with capsys.disabled():
        print()
        for row in [head, *table]:
            print("  ".join(word.ljust(w) for word, w in zip(row, widths)).rstrip())
