# SPDX-License-Identifier: MIT
"""Interrupt paths, bridges, exceptions and clocks that the matrix has no cell for."""
import re
import urllib.request

import pytest

pytestmark = pytest.mark.alone

PANIC_STATUS = 35  # isa-debug-exit: a test run that failed


def page(machine):
    with urllib.request.urlopen(f"http://{machine.address}/", timeout=60) as r:
        return r.read()


def finish(machine, timeout=120):
    code = machine.wait_exit(timeout)
    machine._reader.join(5)
    return code, machine.console_text()


# -- interrupts

EDU = [("", "msi"), ("irq=msix", "msi"), ("irq=msi", "msi"), ("irq=ioapic", "ioapic"), ("irq=pic", "pic"), ("acpi=off", "pic"),
       ("irq=poll", "poll")]


@pytest.mark.parametrize("machine_type", ["q35", "pc"])
@pytest.mark.parametrize("option,mode", EDU)
def test_edu(start, option, mode, machine_type):
    """200 interrupts of QEMU's edu device come, each once, and none after it was let go."""
    machine = start(cmdline=f"{option} test=edu", machine=machine_type, nic=None, qemu_args=["-device", "edu"])
    code, text = finish(machine)
    assert f"# edu by {mode}\n" in text and "ok 1 - edu" in text and code == 33


@pytest.mark.parametrize("option", ["", "irq=pic", "acpi=off"])
def test_nmi_is_survived(start, option):
    machine = start(cmdline=option).wait_ready()
    for _ in range(5):
        machine.qmp("inject-nmi")
        assert b"</html>" in page(machine)
    assert machine.console_text().count("NMI from the hardware") == 5


def test_machine_check_is_reported(start):
    """An uncorrected error in bank 1, as the memory controller would report it."""
    machine = start(nic=None)
    machine.wait_for("slipway# ")
    machine.qmp("human-monitor-command", **{"command-line": "mce 0 1 0xbd80000000000134 0x4 0x1234000 0x8c"})
    machine.wait_for(r"machine check: bank 1 status bd80000000000134 address 1234000 misc 8c")
    machine.wait_for(r"panic: machine check in the kernel|panic: machine check")
    machine.wait_for(r"^halted")


def test_kernel_stack_overflow_is_a_double_fault_with_a_report(start):
    machine = start(cmdline="test=stack_overflow", nic=None)
    code, text = finish(machine)
    assert re.search(r"panic: double fault in the kernel at dig\+", text) and "rsp ffffd" in text
    assert code == PANIC_STATUS


@pytest.mark.parametrize("machine_type,option", [("q35", ""), ("q35", "acpi=off"), ("q35,i8042=off", "acpi=off"),
                                                 ("pc,i8042=off", "acpi=off"), ("pc", "")])
def test_reboot(start, machine_type, option):
    """By ACPI, without it by the keyboard controller, without that by the chip set."""
    machine = start(machine=machine_type, cmdline=option, nic=None)
    machine.wait_for("slipway# ")
    machine.write("reboot\n")  # -no-reboot: QEMU ends
    assert machine.wait_exit(20) == 0


def test_the_last_way_to_reboot(start):
    code, text = finish(start(cmdline="test=triple_fault", nic=None), 20)
    assert code == 0 and "ok" not in text.partition("1..1")[2]


@pytest.mark.parametrize("option", ["", "irq=pic"])
def test_interrupts_from_nowhere(start, option):
    code, text = finish(start(cmdline=f"{option} test=spurious", nic=None))
    assert "ok 1 - spurious" in text and code == 33


# -- the processor

@pytest.mark.parametrize("cpu,there,not_there", [("qemu64", "nx fxsave", "smep"), ("max", "nx smep smap umip xsave avx rdrand", "fxsave")])
def test_the_processor_is_named(start, cpu, there, not_there):
    machine = start(cpu=cpu, nic=None)
    line = machine.wait_for(r"cpu: .+:( .*)\n").group(1).split()
    assert set(there.split()) <= set(line) and not_there not in line


# -- the processor's vector state: XSAVE with AVX, XSAVE without, FXSAVE

@pytest.mark.parametrize("cpu,by", [("max", "AVX"), ("max,-avx", "SSE"), ("qemu64", "SSE"), ("Nehalem", "SSE")])
@pytest.mark.parametrize("smp", [1, 2])
def test_vector_registers(start, cpu, by, smp):
    code, text = finish(start(cmdline="test=fpu", cpu=cpu, smp=smp, nic=None))
    assert f"# by {by}\n" in text and "ok 1 - fpu: vectors-belong-to-a-thread" in text and code == 33


# -- buses

BRIDGED = {
    "pci-bridge on pc": ("pc", ["-device", "pci-bridge,id=b1,chassis_nr=1", "-device", "pci-bridge,id=b2,bus=b1,chassis_nr=2,addr=3"],
                         "rtl8139", "bus=b2,addr=5"),
    "pcie-root-port on q35": ("q35", ["-device", "pcie-root-port,id=p1,chassis=1,slot=1"], "e1000e", "bus=p1"),
    "pcie-pci-bridge on q35": ("q35", ["-device", "pcie-root-port,id=p1,chassis=1,slot=1", "-device", "pcie-pci-bridge,id=b1,bus=p1"],
                               "e1000", "bus=b1,addr=7"),
    "switch on q35": ("q35", ["-device", "pcie-root-port,id=p1,chassis=1,slot=1", "-device", "x3130-upstream,id=u1,bus=p1",
                              "-device", "xio3130-downstream,id=d1,bus=u1,chassis=2,slot=2"], "virtio-modern", "bus=d1"),
    "function 1 of pc": ("pc", ["-device", "edu,addr=9.0,multifunction=on"], "virtio-legacy", "addr=9.1"),
    "function 7 of q35": ("q35", ["-device", "edu,addr=9.0,multifunction=on"], "e1000", "addr=9.7"),
}


@pytest.mark.parametrize("way,firmware", [(way, "bios") for way in BRIDGED] +
                         [("pcie-root-port on q35", "uefi"), ("pci-bridge on pc", "uefi")])
def test_card_behind(start, way, firmware):
    machine_type, buses, nic, place = BRIDGED[way]
    machine = start(machine=machine_type, nic=nic, nic_options=place, bus_args=buses, firmware=firmware).wait_ready(180)
    assert b"</html>" in page(machine)
    address = re.search(r"^([0-9a-f]{2}:[0-9a-f]{2}\.[0-7]).*(?:virtio-net|rtl8139|e1000)", machine.command("lspci"), re.M).group(1)
    if "bus=" in place:
        assert not address.startswith("00:")
    else:
        assert address.endswith(place[-2:])


@pytest.mark.parametrize("access", ["ecam", "ports"])
def test_behind_a_port_by_either_access(start, access):
    _, buses, nic, place = BRIDGED["pcie-root-port on q35"]
    machine = start(nic=nic, nic_options=place, bus_args=buses, cmdline=f"pci={access}").wait_ready()
    assert machine.status()["pci"] == access and b"</html>" in page(machine)


def test_bar_above_4_gib(start):
    """A 64-bit BAR that the firmware put where 32 bits do not reach."""
    machine = start(mem=4096, nic="virtio-modern", qemu_args=["-device", "ivshmem-plain,memdev=m0", "-object",
                                                             "memory-backend-ram,id=m0,size=4G,share=on"],
                    firmware="uefi").wait_ready(180)
    text = machine.command("lspci")
    assert b"</html>" in page(machine)
    at = int(re.search(r"1af4:1110[\s\S]*?bar2 memory ([0-9a-f]+), 4", text).group(1), 16)
    assert at >= 1 << 32 and at % (4 << 30) == 0


# -- clocks: one guest second of every counter, and ten million readings

@pytest.mark.parametrize("clock", ["tsc", "hpet", "pmtmr", "pit"])
def test_clocks_agree(start, clock):
    machine = start(cmdline=f"clock={clock} test=clocks_agree,clock_monotonic,clock_late,sleep,tickless", nic=None,
                    icount="shift=1,sleep=off")
    code, text = finish(machine)
    for name in ("clocks_agree", "clock_monotonic", "clock_late", "sleep", "tickless"):
        assert re.search(rf"^ok \d+ - {name}$", text, re.M), text[-2000:]
    assert len(re.findall(rf"^# (?:pit|pmtmr|hpet): \d+ us, {clock}: \d+ us", text, re.M)) == 3
    assert code == 33


def test_programs_follow_when_the_tsc_is_given_up(start):
    code, text = finish(start(cmdline="test=clock_demotion,libc", nic=None))
    assert re.search(r"^ok \d+ - clock_demotion$", text, re.M) and "ok" in text
    assert re.search(r"^ok \d+ - libc: clocks-without-calls$", text, re.M) and code == 33


@pytest.mark.parametrize("event", ["lapic", "hpet", "pit"])
@pytest.mark.parametrize("machine_type", ["q35", "pc"])
def test_idle_takes_no_ticks(start, event, machine_type):
    """At most 5 timer interrupts in an idle second, 100 by the PIT."""
    code, text = finish(start(cmdline=f"event={event} test=tickless", machine=machine_type, nic=None))
    n = int(re.search(rf"^# (\d+) timer interrupts in 1000 ms by {event}", text, re.M).group(1))
    assert n <= (100 if event == "pit" else 5) and code == 33


# -- boot cost: with shift=0 the guest's nanoseconds are its instructions (and its
# halts, so the figure is never too low)

BOOT_LIMIT = 10_000_000


@pytest.mark.parametrize("nic", ["virtio-modern", "rtl8139", "e1000", "e1000e"])
def test_first_server_within_ten_million_instructions(start, nic):
    machine = start(nic=nic, mem=256, icount="shift=0,sleep=off")
    machine.wait_for("slipway# ")
    cost = int(re.search(r"booted in 0\.(\d{3}) s", machine.command("uptime")).group(1)) * 1_000_000
    assert 0 < cost < BOOT_LIMIT
    steps = re.search(r"boot: steps in us: (.*)", machine.console_text()).group(1)
    for name in ("loader", "memory", "acpi", "irq", "time", "initrd", "pci", "serial", "drivers"):
        assert re.search(rf"\b{name} \d+", steps), steps
