# SPDX-License-Identifier: MIT
"""The DHCP client against a server that does as it is told: one machine that lives
through all of it."""
import re
import socket
import time

import pytest

import dhcpd
import netns
import vm as vm_module

LEASE = 6
FIRST_CHOICE = "169.254.201.10"  # of the card 52:54:00:77:00:01


@pytest.fixture(scope="module")
def lonely(build):
    """Nobody answers this one, and another host has the address that it will choose first.
    It waits for its turn, the last test, while the others run."""
    machine = vm_module.Vm(build, dhcp=False)
    netns.run("ip", "addr", "add", FIRST_CHOICE + "/16", "dev", machine.tap.name)
    yield machine
    machine.close()
    print(f"---- console of {machine.name} ----\n{machine.console_text()[-6000:]}")


@pytest.fixture(scope="module")
def life(build, lonely):
    machine = vm_module.Vm(build, dhcp=False)
    with machine.closed_on_failure():
        net = machine.tap.host.rsplit(".", 1)[0]
        routes = bytes([24, 192, 0, 2]) + socket.inet_aton(net + ".9") + bytes([0]) + socket.inet_aton(net + ".7")
        server = dhcpd.Server(machine.tap, net + ".50", LEASE,
                              {3: socket.inet_aton(net + ".1"), 26: b"\x05\x14", 121: routes})
        machine.net, machine.server = net, server
        machine.wait_ready()
    yield machine
    server.close()
    machine.close()
    print(f"---- console of {machine.name} ----\n{machine.console_text()[-6000:]}")


def pings(machine, address):
    text = netns.run("ping", "-n", "-c", "1", "-W", "2", address, check=False).stdout
    return "1 received" in text


def wait_until(machine, command, pattern, seconds=10):
    deadline = time.monotonic() + seconds
    while not re.search(pattern, text := machine.command(command)):
        assert time.monotonic() < deadline, text
        time.sleep(0.2)
    return text


def asks(kind, unicast=None, ciaddr=None):
    return lambda r: r.type == kind and unicast in (None, r.unicast) and ciaddr in (None, r.ciaddr)


def test_the_address_is_used_at_once_and_then_sure(life):  # C-NETD-8
    assert life.address == life.net + ".50"
    assert pings(life, life.address)
    assert "tentative" in life.command("ifconfig")
    text = wait_until(life, "ifconfig", rf"{life.net}\.50/24\n")
    assert "tentative" not in text


def test_first_request(life):
    first = life.server.requests[0]
    assert first.type == dhcpd.DISCOVER and first.ciaddr == "0.0.0.0"
    assert set(first.options[55]) >= {1, 3, 6, 12, 15, 26, 42, 51, 58, 59, 121}
    assert first.options[12] and first.options[61] == b"\x01" + first.chaddr[:6]
    assert int.from_bytes(first.options[57], "big") >= 576


def test_classless_routes_instead_of_the_router(life):
    routes = life.command("route")
    assert re.search(rf"192\.0\.2\.0/24 +{life.net}\.9 ", routes), routes
    assert re.search(rf"default +{life.net}\.7 ", routes) and f"{life.net}.1 " not in routes, routes


def test_mtu_of_the_lease(life):
    """By the size of segment that it asks for: in its own subnet, over the route of option 121."""
    netns.run("ip", "addr", "add", life.net + ".9/24", "dev", life.tap.name)
    netns.run("ip", "addr", "add", "192.0.2.1/32", "dev", "lo")
    for address in life.tap.host, "192.0.2.1":
        with socket.create_server((address, 81)) as listener:
            listener.settimeout(10)
            life.write(f"wget http://{address}:81/\n")
            with listener.accept()[0] as s:
                size = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
                s.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        assert 1300 - 40 - 12 <= size <= 1300 - 40, address
    life.command("echo done")


def test_renews_a_short_lease(life):
    since = len(life.server.requests)
    one = life.server.wait_for(asks(dhcpd.REQUEST, True, life.net + ".50"), since=since)
    two = life.server.wait_for(lambda r: asks(dhcpd.REQUEST, True)(r) and r.time > one.time + 0.5, since=since)
    assert LEASE / 2 - 1 < two.time - one.time < LEASE * 7 / 8


def test_restarted_netd_keeps_the_lease(life):  # C-NETD-1
    since = len(life.server.requests)
    old = life.pid_of("netd")
    life.command(f"kill {old}")
    life.server.wait_for(asks(dhcpd.REQUEST, True, life.net + ".50"), since=since)
    assert life.pid_of("netd") != old
    assert not any(r.type == dhcpd.DISCOVER for r in life.server.requests[since:])
    assert pings(life, life.address)


def test_rebinds_with_anybody(life):
    since = len(life.server.requests)
    life.server.deaf_to = lambda r: r.unicast
    again = life.server.wait_for(asks(dhcpd.REQUEST, False), since=since)
    assert again.ciaddr == life.net + ".50" and 54 not in again.options
    life.server.deaf_to = lambda r: False
    life.server.wait_for(lambda r: asks(dhcpd.REQUEST, True, life.net + ".50")(r) and r.time > again.time, since=since)
    assert not any(r.type == dhcpd.DISCOVER for r in life.server.requests[since:])
    assert pings(life, life.address)


def test_starts_over_when_refused(life):
    since = len(life.server.requests)
    life.server.nak = True
    life.server.address = life.net + ".51"
    life.server.wait_for(asks(dhcpd.DISCOVER), since=since)
    text = wait_until(life, "ifconfig", rf"{life.net}\.51/24")
    assert f"{life.net}.50" not in text
    assert pings(life, life.net + ".51")


def test_declines_what_another_host_has(life):  # C-NETD-6
    since = len(life.server.requests)
    netns.run("ip", "addr", "add", life.net + ".60/24", "dev", life.tap.name)
    life.server.address = life.net + ".60"
    life.server.nak = True
    declined = life.server.wait_for(asks(dhcpd.DECLINE), since=since)
    assert declined.wanted == life.net + ".60" and socket.inet_ntoa(declined.options[54]) == life.tap.host
    life.server.address = life.net + ".61"
    again = life.server.wait_for(lambda r: asks(dhcpd.DISCOVER)(r) and r.time > declined.time, since=since)
    assert again.time - declined.time > 9  # RFC 2131 section 3.1: at least ten seconds
    wait_until(life, "ifconfig", rf"{life.net}\.61/24")
    assert pings(life, life.net + ".61")


def test_chooses_an_address_when_nobody_gives_one(lonely):
    lonely.wait_for(rf"ready: {re.escape(FIRST_CHOICE)}", timeout=60)
    text = wait_until(lonely, "ifconfig", r"inet 169\.254\.\d+\.\d+/16\n", seconds=20)
    address = re.search(r"inet (169\.254\.\d+\.\d+)/16\n", text).group(1)
    assert address != FIRST_CHOICE and FIRST_CHOICE not in text
    assert pings(lonely, address)
    assert re.search(r"eth0 +selecting +- ", lonely.command("dhcp"))
    server = dhcpd.Server(lonely.tap, lonely.tap.host + "7", LEASE)
    try:
        lonely.write("dhcp renew\n")
        lonely.wait_for(rf"ready: {lonely.tap.host}7\n(?=slipway# )", timeout=10)
        time.sleep(0.5)  # init's line and the command's end each bring a prompt
        text = wait_until(lonely, "ifconfig", lonely.tap.host + r"7/24")
        assert "169.254." not in text
        leases = lonely.command("dhcp")
        assert re.search(rf"eth0 +(bound|renewing) +{lonely.tap.host}7 +{lonely.tap.host} ", leases), leases
    finally:
        server.close()
