# SPDX-License-Identifier: MIT
"""Intel's cards by each kind of interrupt, on both machines."""
import hashlib
import re
import socket
import subprocess
import urllib.request

import pytest

WAYS = {  # card, machine, boot options, how its interrupts come
    "82540em": ("e1000", "q35", "", "ioapic"),
    "82540em-pc": ("e1000", "pc", "", "ioapic"),
    "82540em-pic": ("e1000", "q35", "irq=pic", "pic"),
    "82574l-msix": ("e1000e", "q35", "", "msix"),
    "82574l-msi": ("e1000e", "pc", "irq=msi", "msi"),
    "82574l-pic": ("e1000e", "q35", "irq=pic", "pic"),
}


@pytest.fixture(scope="module")
def some_file(build):
    return build.random_file("4m.bin", 4 << 20)


@pytest.fixture(params=WAYS, scope="module")
def intel(request, build, some_file):
    import vm
    nic, kind, cmdline, mode = WAYS[request.param]
    machine = vm.Vm(build, nic=nic, machine=kind, cmdline=f"{cmdline} start=echo".strip(),
                    extra=[(some_file, "www/4m.bin")])
    machine.mode = mode
    machine.chip = "82574L" if nic == "e1000e" else "82540EM"
    machine.wait_ready()  # an address by DHCP
    yield machine
    machine.close()
    print(f"---- console of {machine.name} ----\n{machine.console_text()[-6000:]}")


def get(machine, path):
    with urllib.request.urlopen(f"http://{machine.address}/{path}", timeout=60) as r:
        return r.read()


def test_interrupts_come_as_asked(intel):
    assert re.search(rf"eth0: {intel.chip}, 256 receive buffers, {intel.mode} ", intel.console_text())


def test_pings(intel):
    r = subprocess.run(["ping", "-q", "-n", "-i", "0.002", "-c", "200", "-W", "5", intel.address], timeout=60,
                       stdout=subprocess.PIPE, text=True)
    assert "200 received" in r.stdout, r.stdout


def test_page_and_file(intel, some_file):
    assert get(intel, "").endswith(b"</html>\n")
    with open(some_file, "rb") as f:
        assert hashlib.sha256(get(intel, "4m.bin")).digest() == hashlib.sha256(f.read()).digest()


def test_udp_echo(intel):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect((intel.address, 7))
        for size in [*range(0, 64), *range(64, 1473, 32), 1471, 1472]:
            data = bytes((size * 31 + i) & 255 for i in range(size))
            s.send(data)
            assert s.recv(2000) == data, size


def test_the_cable_is_pulled_and_put_back(intel):
    """The card tells of it by an interrupt; the name is the device's in QEMU."""
    mark = len(intel.console_text())
    intel.qmp("set_link", name="n0", up=False)
    intel.wait_for("eth0: carrier lost", 10, mark)
    mark = len(intel.console_text())
    intel.qmp("set_link", name="n0", up=True)
    intel.wait_for("eth0: carrier up", 10, mark)
    assert get(intel, "").endswith(b"</html>\n")


def test_zz_nothing_went_wrong(intel):
    links = {link["name"]: link for link in intel.status()["links"]}
    assert links["eth0"]["rx_frames"] > 500 and links["eth0"]["rx_errors"] == 0
