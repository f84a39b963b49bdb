# SPDX-License-Identifier: MIT
"""Linux's own SLIP and compressed SLIP (slattach) on the other end of COM1: both
directions, and through the gateway to the Ethernet side. SLIPWAY_LONG=1 moves
10 MiB each way instead of half a MiB."""
import hashlib
import os
import re

import pytest

import linux
import netns
import vm

BYTES = 10 << 20 if os.environ.get("SLIPWAY_LONG") else 512 << 10
pytestmark = pytest.mark.skipif(linux.missing() is not None, reason=linux.missing() or "")


@pytest.fixture(scope="module")
def body(build):
    return build.random_file("linux.bin", BYTES)


@pytest.fixture(scope="module", params=["slip", "cslip"])
def pair(build, body, request):
    options = " slip.vj=auto" if request.param == "cslip" else ""
    machine = vm.Vm(build, mem=128, extra=[(body, "www/linux.bin")], cmdline="start=natd,echo" + options)
    with machine.closed_on_failure():
        machine.wait_ready()
        peer = linux.Linux(build, f"{machine.dir}/com1", files=[("www/linux.bin", body)])
    try:
        peer.attach(request.param)
        peer.run("route add default gw 192.168.7.2; httpd -p 80 -h /www")
        machine.peer, machine.protocol = peer, request.param
        with open(body, "rb") as f:
            machine.sha = hashlib.sha256(f.read()).hexdigest()
        yield machine
    finally:
        peer.close()
        machine.close()
        print(machine.console_text()[-3000:])


def test_ping_both_ways(pair):
    assert "5 packets received" in pair.peer.run("ping -q -c 5 -W 10 192.168.7.2", 120)
    assert "4 received" in pair.command("ping 192.168.7.1", 60)


def test_page_from_slipway(pair):
    assert pair.sha in pair.peer.run("wget -q -O - http://192.168.7.2/linux.bin | sha256sum", 600)


def test_page_from_linux(pair):
    out = pair.command("wget -s http://192.168.7.1/linux.bin", 600)
    assert f"{BYTES} bytes, sha256 {pair.sha}" in out


def test_through_the_gateway(pair):
    with netns.pages(pair.tap.host, 8000, pair.build.work):
        fetched = pair.peer.run(f"wget -q -O - http://{pair.tap.host}:8000/linux.bin | sha256sum", 600)
    assert pair.sha in fetched


def test_headers_were_compressed(pair):
    m = re.search(r"compressed: rx (\d+) tx (\d+)", pair.command("ifconfig"))
    if pair.protocol == "slip":
        assert m is None
    else:
        assert int(m.group(1)) > 200 and int(m.group(2)) > 200, m.group(0)
