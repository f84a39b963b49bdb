#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Cuts the corpus of the table fuzzers out of machines that QEMU makes.

  tests/fuzz/dump_tables.py FOLDER      (SLIPWAY_BUILD names the build tree)

Boots the ISO on q35 and pc, BIOS and UEFI, dumps the guest's memory, and writes
the boot loader's information, the ACPI tables and the functions' configuration
spaces to FOLDER/boot, FOLDER/acpi and FOLDER/pci, each different one once.
"""
import hashlib
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../system/lib"))
import netns  # noqa: E402
import vm as vm_module  # noqa: E402

RAM = 128 << 20
MACHINES = [("q35", "bios", 0xb0000000, ["-device", "pcie-root-port,id=p1,chassis=1", "-device", "virtio-rng-pci,bus=p1"]),
            ("pc", "bios", None, ["-device", "pci-bridge,chassis_nr=1", "-device", "edu"]),
            ("q35", "uefi", 0xb0000000, ["-smp", "4,maxcpus=6"]), ("pc", "uefi", None, [])]


def save(folder, kind, name, data):
    os.makedirs(os.path.join(folder, kind), exist_ok=True)
    for have in os.listdir(os.path.join(folder, kind)):
        with open(os.path.join(folder, kind, have), "rb") as f:
            if hashlib.sha256(f.read()).digest() == hashlib.sha256(data).digest():
                return
    with open(os.path.join(folder, kind, name), "wb") as f:
        f.write(data)


def tables(ram):
    """(signature, bytes) of every table that an RSDP in memory leads to."""
    seen = set()
    at = -1
    while (at := ram.find(b"RSD PTR ", at + 1)) >= 0:
        rsdp = ram[at:at + 36]
        if sum(rsdp[:20]) & 0xff:
            continue
        yield "RSDP", rsdp
        rsdt = struct.unpack_from("<I", rsdp, 16)[0]
        xsdt = struct.unpack_from("<Q", rsdp, 24)[0] if rsdp[15] >= 2 else 0
        for root, size in ((rsdt, 4), (xsdt, 8)):
            if root == 0 or root + 36 > len(ram):
                continue
            length = struct.unpack_from("<I", ram, root + 4)[0]
            yield ram[root:root + 4].decode("latin-1"), ram[root:root + length]
            todo = [int.from_bytes(ram[root + i:root + i + size], "little") for i in range(36, length, size)]
            for t in todo:
                if t in seen or not 0 < t < len(ram) - 36:
                    continue
                seen.add(t)
                n = struct.unpack_from("<I", ram, t + 4)[0]
                if 36 <= n <= 1 << 16:
                    yield ram[t:t + 4].decode("latin-1"), ram[t:t + n]
                    if ram[t:t + 4] == b"FACP":
                        todo.append(struct.unpack_from("<I", ram, t + 40)[0])


def boot_information(ram):
    """The Multiboot2 structure: a size, a zero, and a chain of tags that ends there."""
    for at in range(0, len(ram) - 16, 8):
        total, zero, tag, size = struct.unpack_from("<IIII", ram, at)
        if zero or not 64 <= total <= 1 << 16 or tag not in (1, 21) or not 8 < size < total:
            continue
        p = at + 8
        while p < at + total - 8 and struct.unpack_from("<I", ram, p + 4)[0] >= 8:
            p += (struct.unpack_from("<I", ram, p + 4)[0] + 7) & ~7
        if p + 8 == at + total and struct.unpack_from("<II", ram, p) == (0, 8):
            yield ram[at:at + total]


def main(folder):
    netns.enter()
    build = vm_module.Build()
    for machine_type, firmware, ecam, extra in MACHINES:
        name = f"{machine_type}-{firmware}"
        machine = vm_module.Vm(build, machine=machine_type, firmware=firmware, nic="e1000e", mem=RAM >> 20,
                               cmdline="irq=pic clock=hpet net.eth0=10.0.2.15/24,10.0.2.2 com1=slip,9600", qemu_args=extra)
        try:
            machine.wait_for(r"boot: steps", 120)
            path = os.path.join(machine.dir, "ram")
            machine.qmp("pmemsave", val=0, size=RAM, filename=path)
            with open(path, "rb") as f:
                ram = f.read()
            for i, data in enumerate(boot_information(ram)):
                save(folder, "boot", f"{name}-{i}", data)
            for signature, data in tables(ram):
                save(folder, "acpi", f"{name}-{signature.strip()}", data)
            for function in range(256) if ecam else ():
                machine.qmp("pmemsave", val=ecam + (function << 12), size=4096, filename=path)
                with open(path, "rb") as f:
                    data = f.read()
                if data[:2] != b"\xff\xff":
                    save(folder, "pci", f"{name}-{function >> 3:02x}.{function & 7}", data)
        finally:
            machine.close()


if __name__ == "__main__":
    main(sys.argv[1])
