# SPDX-License-Identifier: MIT
"""Groups: what a card must let through, what is for nobody here, on every card."""
import re
import socket
import struct

import pytest

import peer as p
import vm as vm_module

CARDS = [("virtio-modern", ""), ("virtio-legacy", ""), ("rtl8139", ""), ("rtl8139", " rtl8139=cplus"), ("e1000", ""),
         ("e1000e", "")]
ALL_HOSTS = "224.0.0.1"
LOCAL = socket.inet_pton(socket.AF_INET6, "fe80::9")
PORT = struct.pack("!H", 4000)


def group_mac(address):
    return b"\x01\x00\x5e" + bytes([socket.inet_aton(address)[1] & 0x7f]) + socket.inet_aton(address)[2:]


def datagram(group):
    return p.eth(p.ipv4(p.udp(b"all of you", dst=group), proto=17, dst=group), dst=group_mac(group))


def is_echo(frame):
    return frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[36:38] == PORT and frame[42:52] == b"all of you"


def solicitation(target):
    """A neighbour solicitation to the target's solicited-node group."""
    group = b"\xff\x02" + bytes(9) + b"\x01\xff" + target[13:]
    body = struct.pack("!BBHI", 135, 0, 0, 0) + target + b"\x01\x01" + p.MAC
    pseudo = LOCAL + group + struct.pack("!II", len(body), 58)
    body = body[:2] + struct.pack("!H", p.checksum(pseudo + body)) + body[4:]
    ip = struct.pack("!IHBB", 0x60000000, len(body), 58, 255) + LOCAL + group
    return p.eth(ip + body, 0x86dd, dst=b"\x33\x33" + group[12:])


@pytest.mark.parametrize("nic, option", CARDS, ids=[nic + option.replace(" rtl8139=", "-") for nic, option in CARDS])
def test_groups_that_are_ours(build, nic, option):  # C-RX-7
    machine = vm_module.Vm(build, nic=nic, net=p.NET, cmdline=p.OPTION + " start=echo" + option)
    peer = p.Peer(machine.dir)
    with machine.closed_on_failure():
        machine.wait_for(rf"^ready: {re.escape(p.GUEST)}$")
        machine.wait_for("slipway# ")
        assert peer.ping(20)
        peer.send(datagram(ALL_HOSTS))
        reply = peer.receive(is_echo)
        assert reply is not None, "the group of all hosts did not get in"
        assert socket.inet_ntoa(reply[26:30]) == p.GUEST
        for _ in range(50):
            peer.send(datagram("224.0.0.251"))
            peer.send(datagram("239.1.2.3"))
        assert peer.receive(is_echo, 0.5) is None
        # Their hashes are others than those of our groups, so that no card lets them in.
        assert "not-joined" not in machine.command("netstat")
        # Our own link-local address, asked for by its group; it is on trial for a second.
        mac = p.GUEST_MAC
        target = b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]  # RFC 4291, app. A
        for _ in range(10):
            peer.send(solicitation(target))
            if peer.receive(lambda f: f[12:14] == b"\x86\xdd" and f[20] == 58 and f[54] == 136 and f[62:78] == target,
                            1) is not None:
                break
        else:
            raise AssertionError("nobody advertises " + socket.inet_ntop(socket.AF_INET6, target))
        assert peer.ping()
    peer.close()
    machine.close()
