# SPDX-License-Identifier: MIT
"""What the random generator is seeded from, with and without hardware for it."""
import re

import pytest

RNG = ("-device", "virtio-rng-pci")
RNG_LEGACY = ("-device", "virtio-rng-pci,disable-modern=on,disable-legacy=off")

WAYS = {
    "rdrand": dict(cpu="max"),
    "virtio": dict(cpu="qemu64", qemu_args=RNG),
    "virtio-legacy": dict(cpu="qemu64", qemu_args=RNG_LEGACY),
    "both": dict(cpu="max", qemu_args=RNG),
    "jitter": dict(cpu="qemu64"),
}
FROM = {
    "rdrand": {"rdrand"},
    "virtio": {"virtio-rng", "jitter"},
    "virtio-legacy": {"virtio-rng", "jitter"},
    "both": {"rdrand", "virtio-rng"},
    "jitter": {"jitter"},
}


@pytest.mark.parametrize("way", WAYS)
def test_sources(start, way):
    """The servers come up, TCP with its secret ports included, and status and log name the sources."""
    machine = start(nic="virtio", **WAYS[way])
    machine.wait_ready(60)
    status = machine.command("uptime")
    found = re.search(r"random seeded from ([a-z -]+)", status)
    assert found, status
    assert set(found.group(1).split()) == FROM[way], status
    log = machine.command("dmesg")
    named = re.search(r"random: seeded from ([a-z -]+)", log)
    assert named and set(named.group(1).split()) <= FROM[way], log
    if "virtio" in way:
        assert "virtio-rng joins in" in log or "virtio-rng" in named.group(1), log


@pytest.mark.parametrize("rtc", ["base=2030-01-01T00:00:00"])
def test_two_boots_without_hardware_differ(start, rtc):
    """Same date, no RDRAND, no device: the secrets still have nothing in common."""
    addresses = []
    for _ in range(2):
        machine = start(cmdline="test=secrets", nic=None, cpu="qemu64", qemu_args=("-rtc", rtc))
        machine.wait_exit(60)
        machine._reader.join(5)
        found = re.search(r"# secret ([0-9a-f]{64})", machine.console_text())
        assert found, machine.console_text()[-2000:]
        addresses.append(found.group(1))
    assert addresses[0] != addresses[1]
    same = sum(a == b for a, b in zip(*addresses))
    assert same < 24, addresses  # 64 hex digits agree in 4 places by chance
