# SPDX-License-Identifier: MIT
"""The inventory: what lspci, devices, irq and /dev say of machines whose parts we chose."""
import re

import pytest

DISCS = ["-drive", "if=none,id=d0,format=raw,file=DIR/disc", "-device", "virtio-blk-pci,drive=d0",
         "-drive", "if=none,id=d1,format=raw,file=DIR/disc1", "-device", "nvme,drive=d1,serial=1"]


@pytest.fixture
def discs(start, build, tmp_path):
    def run(**options):
        paths = []
        for name in ("disc", "disc1"):
            (tmp_path / name).write_bytes(bytes(1 << 20))
            paths.append(f"{tmp_path}/")
        machine = start(qemu_args=[a.replace("DIR/", paths[0]) for a in DISCS], **options)
        machine.wait_ready(180)
        return machine
    return run


@pytest.mark.parametrize("firmware,machine_type", [("bios", "q35"), ("bios", "pc"), ("uefi", "q35")])
def test_inventory(discs, firmware, machine_type):
    machine = discs(firmware=firmware, machine=machine_type, mem=128)
    text = machine.command("lspci")
    assert re.search(r"1af4:1000 class 0200 Ethernet controller, virtio network \[virtio-net net0\]\n"
                     r"(        bar\d (ports|memory) [0-9a-f]+, [\d.]+[BKM]\n)+"
                     r"        interrupt by msix; pin A, line \d+", text), text
    assert re.search(r"class 0108 NVMe controller", text) and re.search(r"1af4:1001 class 0100 ", text)
    # QEMU's own view of the same machine, address by address
    for bus in machine.qmp("query-pci"):
        for d in bus["devices"]:
            address = f"{bus['bus']:02x}:{d['slot']:02x}.{d['function']:x}"
            assert f"{address} {d['id']['vendor']:04x}:{d['id']['device']:04x}" in text
            for region in [r for r in d["regions"] if r["bar"] < 6 and r["address"] >= 0 and d["class_info"]["class"] >> 8 != 6]:
                kind = "ports" if region["type"] == "io" else "memory"
                assert f"bar{region['bar']} {kind} {region['address']:x}," in text
    nodes = machine.command("devices")
    assert re.search(r"^net0 +virtio-net .*52:54:00:77:00:01, link up", nodes, re.M)
    assert len(re.findall(r"^block\d +- ", nodes, re.M)) == 3  # the CD's controller too
    listed = {line.split()[-1] for line in machine.command("ls /dev").splitlines() if line.strip()}
    assert {"net0", "block0", "block1", "block2", "console", "null"} <= listed
    assert ("fb0" in listed) == (firmware == "uefi")
    assert "link up" in machine.command("cat /dev/net0") and "driver none" in machine.command("cat /dev/block0")
    if firmware == "uefi":
        assert re.search(r"\d+x\d+ pixels of 32 bits", machine.command("cat /dev/fb0"))


def test_interrupts_are_counted_by_source(start):
    machine = start(nic="rtl8139")
    machine.wait_ready()

    def count(name):
        return int(re.search(rf"(\d+) {name}$", machine.command("irq"), re.M).group(1))

    before = count("com2"), count("rtl8139"), count("keyboard")
    machine.command("ping -c 3 " + machine.tap.host)
    after = count("com2"), count("rtl8139"), count("keyboard")
    assert after[0] > before[0] and after[1] > before[1] and after[2] == before[2]
    machine.qmp("human-monitor-command", **{"command-line": "sendkey shift"})
    assert count("keyboard") > after[2]


def test_a_pulled_cable_is_seen(start):
    machine = start()
    machine.wait_ready()
    machine.qmp("set_link", name="n0", up=False)
    machine.wait_for("carrier (down|lost)|no carrier")
    assert "link down" in machine.command("devices")


def test_pixels_in_a_process(start):
    machine = start(nic=None, firmware="uefi", mem=128, cmdline="test=screen")
    assert machine.wait_exit(180) == 33
    assert "ok 2 - screen: framebuffer" in machine.console_text()
