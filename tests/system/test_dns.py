# SPDX-License-Identifier: MIT
"""Names and the time of day: a machine's resolver against dnsmasq, its clock against a
time server that lives in 2030."""
import calendar
import re
import socket
import struct
import threading
import time

import pytest

import netns
import vm as vm_module

SERVER, OTHER = "10.5.1.1", "10.5.1.3"
THEN = calendar.timegm((2030, 3, 4, 5, 6, 7))


class Udp(threading.Thread):
    """Answers datagrams on a port with answer(request), until closed."""

    def __init__(self, address, port, answer):
        super().__init__(daemon=True)
        self.answer, self.seen = answer, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        self.start()

    def run(self):
        while True:
            try:
                data, peer = self.socket.recvfrom(2000)
                self.seen.append(data)
                self.socket.sendto(self.answer(data), peer)
            except OSError:
                return


def ntp_answer(request):
    now = struct.pack(">II", (THEN + 2208988800) & 0xffffffff, 0)
    return struct.pack(">BBbbII4s", 0x24, 2, 6, -20, 0, 0, b"test") + now + request[40:48] + now + now


def no_such_name(request):
    """NXDOMAIN with a SOA record of the zone neg.test, a minute for both times."""
    soa = b"\x03neg\x04test\0" + struct.pack(">HHIH", 6, 1, 60, 22) + b"\0\0" + struct.pack(">IIIII", 1, 1, 1, 1, 60)
    question = request[12:request.index(b"\0", 12) + 5]
    return request[:2] + struct.pack(">HHHHH", 0x8583, 1, 0, 1, 0) + question + soa


@pytest.fixture(scope="module")
def net(build, tmp_path_factory):
    hosts = tmp_path_factory.mktemp("dns") / "hosts"
    initrd_hosts = tmp_path_factory.mktemp("dns") / "initrd"
    initrd_hosts.write_text(f"# of the initrd\n{SERVER} frominitrd alias\n")
    hosts.write_text(f"{SERVER} server.lab.test\n10.5.1.2 four.lab.test\n" +
                     "".join(f"10.6.{i // 200}.{i % 200 + 1} big.lab.test\n" for i in range(300)))
    machine = vm_module.Vm(build, dhcp=False, extra=[(str(initrd_hosts), "etc/hosts")],
                           cmdline=f"net.hosts={SERVER}/fromboot,10.9.9.9/other")
    with machine.closed_on_failure():
        net = machine.tap.host.rsplit(".", 1)[0]
        netns.run("ip", "addr", "add", f"{SERVER}/32", "dev", "lo")
        netns.run("ip", "addr", "add", f"{OTHER}/32", "dev", "lo")
        machine.ntp = Udp(machine.tap.host, 123, ntp_answer)
        machine.negative = Udp(OTHER, 53, no_such_name)
        machine.tap.start_dhcp(machine.dir, extra=[
            f"--addn-hosts={hosts}", "--domain=lab.test", "--local=/lab.test/", "--log-queries",
            f"--dhcp-option=6,{net}.9,{net}.1", f"--dhcp-option=42,{machine.tap.host}",
            "--cname=a.lab.test,b.lab.test", "--cname=b.lab.test,server.lab.test",
            "--txt-record=text.lab.test,hello", f"--server=/neg.test/{OTHER}", "--host-record=six.lab.test,fd00::6",
            "--bogus-priv", "--local-ttl=300", "--ptr-record=7.1.5.10.in-addr.arpa,seven.lab.test"])
        machine.net = net
        machine.wait_ready()
    yield machine
    for address in SERVER, OTHER:
        netns.run("ip", "addr", "del", f"{address}/32", "dev", "lo", check=False)
    for thread in machine.ntp, machine.negative:
        thread.socket.close()
    machine.close()
    print(f"---- console of {machine.name} ----\n{machine.console_text()[-6000:]}")


def queries(machine, name):
    with open(f"{machine.dir}/dnsmasq.log") as f:
        return len(re.findall(rf"query\[A\] {re.escape(name)} from {machine.address}", f.read()))


def tcp_accepted():
    with open("/proc/net/snmp") as f:
        keys, values = [line.split() for line in f if line.startswith("Tcp:")]
    return int(values[keys.index("PassiveOpens")])


def test_first_server_is_dead(net):
    """It is asked first, in vain; the second one answers."""
    assert f"server.lab.test has address {SERVER}" in net.command("host server.lab.test")


def test_answers_are_kept(net):
    before = queries(net, "server.lab.test")
    for _ in range(3):
        assert SERVER in net.command("host server.lab.test")
    assert before >= 1 and queries(net, "server.lab.test") == before


def test_both_families(net):
    assert "six.lab.test has IPv6 address fd00::6" in net.command("host six.lab.test")


def test_chain_of_aliases(net):
    text = net.command("host a.lab.test")
    assert "a.lab.test is an alias for server.lab.test" in text and f"server.lab.test has address {SERVER}" in text


def test_large_answer_comes_by_tcp(net):
    before = tcp_accepted()
    text = net.command("host big.lab.test")
    assert len(set(re.findall(r"has address (10\.6\.\d+\.\d+)", text))) == 32, text
    assert tcp_accepted() == before + 1


def test_negative_answers(net):
    assert "no such name" in net.command("host nothing.lab.test")
    assert "has no address" in net.command("host text.lab.test")


def test_negative_answers_are_kept(net):
    assert "no such name" in net.command("host x.neg.test.")
    before = queries(net, "x.neg.test"), len(net.negative.seen)
    for _ in range(3):
        assert "no such name" in net.command("host x.neg.test.")
    assert before[1] >= 1 and (queries(net, "x.neg.test"), len(net.negative.seen)) == before


def test_names_of_addresses(net):
    assert f"{SERVER} is server.lab.test" in net.command(f"host {SERVER}")
    assert "seven.lab.test" in net.command("host 10.5.1.7")
    assert "no such name" in net.command("host 10.5.1.99")


def test_a_server_by_hand(net):
    assert SERVER in net.command(f"host server.lab.test {net.net}.1")
    assert "no such name" in net.command(f"host server.lab.test {OTHER}")
    assert SERVER in net.command("host server.lab.test")  # what that one says is not kept


def test_search_list_ping_and_wget(net, tmp_path):
    (tmp_path / "page").write_text("found by name\n")
    assert "1 received" in net.command("ping -c 1 server")
    with netns.pages(SERVER, 8080, str(tmp_path)):
        assert "found by name" in net.command("wget http://server:8080/page")


def test_hosts(net):
    for name in "fromboot", "frominitrd", "alias", "localhost":
        assert "1 received" in net.command(f"ping -c 1 {name}"), name
    assert "no such name" in net.command("ping -c 1 nothing.lab.test")


def test_no_socket_is_left(net):
    owner = net.pid_of("netd")
    assert not re.search(rf"^(udp|tcp) +\S+ +\S+ +\S+ +{owner} ", net.command("netstat"), re.M)


def test_sntp_sets_the_date(net):  # C-SNTP-3
    text = net.command("date")
    assert re.search(r"Mon Mar +4 05:0\d:\d\d UTC 2030", text), text
    assert f"by SNTP from {net.tap.host}, stratum 2" in text
    assert len(net.ntp.seen) == 1 and net.ntp.seen[0][0] == 0x23
    uptime = float(re.search(r"\[ *(\d+\.\d+)\]", net.command("dmesg").splitlines()[-2]).group(1))
    assert uptime < 600  # the monotonic clock did not move


def test_works_after_a_restart_of_netd(net):
    old = net.pid_of("netd")
    net.command(f"kill {old}")
    assert SERVER in net.command("host server.lab.test")
    assert queries(net, "server.lab.test") >= 2
    deadline = time.monotonic() + 10
    while "by SNTP" not in net.command("date"):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_server_from_a_router(start):
    """No IPv4 at all: the name server of the advertisements (RFC 8106), asked over IPv6."""
    machine = start(ip6=True, dhcp=False, cmdline="net.eth0=off")
    tap = machine.tap
    tap.start_dhcp(machine.dir, extra=["--enable-ra", f"--dhcp-range={tap.prefix6}:,ra-only,64,1h", "--log-queries",
                                       f"--ra-param={tap.name},1,1800", f"--dhcp-option=option6:dns-server,[{tap.host6}]"])
    machine.wait_for(rf"eth0: {tap.prefix6}\S+/64")
    deadline = time.monotonic() + 10  # the advertisement's next option may still be on its way
    while "slipway.test has address 10.1.2.3" not in (text := machine.command("host slipway.test")):
        assert time.monotonic() < deadline, text
    with open(f"{machine.dir}/dnsmasq.log") as f:
        assert re.search(rf"query\[A\] slipway\.test from {tap.prefix6}", f.read())
