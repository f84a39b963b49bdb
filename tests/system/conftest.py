# SPDX-License-Identifier: MIT
"""System tests: the ISO in QEMU against real clients.

All of it runs in a network namespace of its own, entered here before anything
else, so that tests need no privilege where unprivileged user namespaces are
allowed, and never touch the machine's network.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import pytest  # noqa: E402

import netns  # noqa: E402
import vm as vm_module  # noqa: E402

netns.enter()


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: has the machine for itself, since it looks at times or at several CPUs")


NICS = ["virtio-modern", "virtio-legacy", "rtl8139"]

# The default with every card, and the old ways in which all must work just the
# same with one each; SLIPWAY_LONG=1 runs every way with every card.
WAYS = {
    "default": dict(),
    "pit-pic": dict(cmdline="timer=pit irq=pic"),
    "pc-nohpet": dict(machine="pc,hpet=off"),
    "acpi-off": dict(cmdline="acpi=off"),
}
# Several processors: a card of each kind of interrupt, and an event device that only CPU 0 hears.
SEVERAL = {
    "smp2": (dict(smp=2), ["virtio-modern", "rtl8139"]),
    "smp4": (dict(smp=4), ["virtio-modern"]),
    "smp2-hpet": (dict(smp=2, cmdline="event=hpet clock=hpet"), ["virtio-modern"]),
}
ONE_CARD = {"pit-pic": "rtl8139", "pc-nohpet": "virtio-legacy", "acpi-off": "virtio-modern"}
LONG = bool(os.environ.get("SLIPWAY_LONG"))
EVERYWHERE = [pytest.param((way, nic), id=f"{way}-{nic}") for way in WAYS for nic in NICS
              if LONG or way == "default" or ONE_CARD[way] == nic]
EVERYWHERE += [pytest.param((way, nic), id=f"{way}-{nic}") for way in SEVERAL for nic in SEVERAL[way][1]]
WAYS.update({way: SEVERAL[way][0] for way in SEVERAL})
WAYS["cplus"] = dict(cmdline="rtl8139=cplus")
EVERYWHERE.append(pytest.param(("cplus", "rtl8139"), id="cplus-rtl8139"))


def options_of(param, cmdline):
    """Vm options of one of EVERYWHERE, with more boot options."""
    way, nic = param
    options = dict(WAYS[way], nic=nic)
    options["cmdline"] = (options.get("cmdline", "") + " " + cmdline).strip()
    return options


@pytest.fixture(scope="session")
def build():
    return vm_module.Build()


@pytest.fixture(scope="session")
def big_file(build):
    """16 MiB that no compressor or pattern filler can fake."""
    return build.random_file("big.bin", 16 << 20)


@pytest.fixture
def start(build, request):
    """start(**options) boots a machine that ends with the test; when the test
    fails, its console goes into the report."""
    machines = []

    def run(**options):
        machine = vm_module.Vm(build, **options)
        machines.append(machine)
        return machine

    yield run
    for machine in machines:
        machine.close()
    for machine in machines:
        print(f"---- console of {machine.name} ----\n{machine.console_text()[-6000:]}")


@pytest.fixture(scope="module", params=EVERYWHERE)
def served(build, big_file, request):
    """One running machine for all tests of a module, in each way on each card."""
    machine = vm_module.Vm(build, extra=[(big_file, "www/big.bin")], mem=128, **options_of(request.param, "start=echo"))
    with machine.closed_on_failure():
        machine.wait_ready()
    yield machine
    machine.close()
    print(f"---- console of {machine.name} ----\n{machine.console_text()[-6000:]}")
