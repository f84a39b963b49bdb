# SPDX-License-Identifier: MIT
"""Clients that others wrote: curl, wget, ab, nc, nmap; tcpdump looks on the while.

The card's link leaves checksums to nobody (no virtio header on the tap), so that
tcpdump sees each as the peer does.
"""
import hashlib
import re
import socket
import subprocess
import threading

import pytest

import vm as vm_module

BULK = 6 << 20
LINE = 74  # chargen's, RFC 864


def run(*words, timeout=120, **more):
    return subprocess.run(words, timeout=timeout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


@pytest.fixture(scope="module")
def peer(build):
    machine = vm_module.Vm(build, nic="virtio", vnet_hdr=False, mem=128,
                           cmdline="start=echo,discard,chargen",
                           extra=[(build.random_file("mib.bin", 1 << 20), "www/mib.bin")])
    capture = None
    try:
        with machine.closed_on_failure():
            machine.wait_ready()
        capture = subprocess.Popen(["tcpdump", "-i", machine.tap.name, "-U", "-w", f"{machine.dir}/all.pcap", "ip"],
                                   stderr=subprocess.PIPE, text=True)
        assert "listening on" in capture.stderr.readline()
        yield machine
    finally:
        if capture is not None:
            capture.terminate()
            capture.wait()
        machine.close()
        print(f"---- console of {machine.name} ----\n{machine.console_text()[-6000:]}")


def test_curl_and_wget_agree(peer, build):
    with open(build.random_file("mib.bin", 1 << 20), "rb") as f:
        want = hashlib.sha256(f.read()).digest()
    for client in (["curl", "-sSf", "--max-time", "60"], ["wget", "-q", "-T", "60", "-O", "-"]):
        got = subprocess.run([*client, f"http://{peer.address}/mib.bin"], timeout=90, stdout=subprocess.PIPE, check=True)
        assert hashlib.sha256(got.stdout).digest() == want, client


def test_curl_continues_a_download(peer, build):
    """Ranges and conditions, as a client asks that lost its connection."""
    with open(build.random_file("mib.bin", 1 << 20), "rb") as f:
        want = f.read()[1000000:]
    got = subprocess.run(["curl", "-sS", "--max-time", "60", "-r", "1000000-", f"http://{peer.address}/mib.bin"],
                         timeout=90, stdout=subprocess.PIPE, check=True).stdout
    assert got[-len(want):] == want and len(got) in (len(want), 1 << 20)


@pytest.mark.parametrize("keep", [["-k"], []], ids=["kept", "closed"])
def test_ab(peer, keep):
    r = run("ab", "-q", *keep, "-n", "600", "-c", "20", "-s", "30", f"http://{peer.address}/")
    assert r.returncode == 0, r.stdout
    assert re.search(r"Complete requests: +600\n", r.stdout) and re.search(r"Failed requests: +0\n", r.stdout), r.stdout
    assert "Non-2xx" not in r.stdout, r.stdout


def test_echo_gives_back_all(peer, build):
    path = build.random_file("bulk.bin", BULK)
    with open(path, "rb") as f:
        got = subprocess.run(["nc", "-N", "-w", "60", peer.address, "7"], stdin=f, stdout=subprocess.PIPE, timeout=120)
    with open(path, "rb") as f:
        assert hashlib.sha256(got.stdout).digest() == hashlib.sha256(f.read()).digest()


def test_discard_takes_all(peer):
    with socket.create_connection((peer.address, 9), timeout=60) as s:
        s.settimeout(60)
        s.sendall(bytes(BULK))
        s.shutdown(socket.SHUT_WR)
        assert s.recv(1) == b""


def test_chargen_gives_lines(peer):
    with socket.create_connection((peer.address, 19), timeout=60) as s:
        s.settimeout(60)
        data = bytearray()
        while len(data) < BULK:
            data += s.recv(65536)
    for n in range(len(data) // LINE):
        line = data[n * LINE:(n + 1) * LINE]
        assert line == bytes(32 + (n + i) % 95 for i in range(72)) + b"\r\n", n


def test_all_at_once(peer):
    """Bulk each way beside requests; nobody waits for ever."""
    errors = []

    def guard(work):
        try:
            work(peer)
        except Exception as e:  # pylint: disable=broad-except
            errors.append(e)

    threads = [threading.Thread(target=guard, args=(w,)) for w in (test_discard_takes_all, test_chargen_gives_lines)]
    for t in threads:
        t.start()
    r = run("ab", "-q", "-k", "-n", "200", "-c", "4", "-s", "60", f"http://{peer.address}/")
    for t in threads:
        t.join(120)
    assert not errors and re.search(r"Failed requests: +0\n", r.stdout), (errors, r.stdout)


def test_nmap_finds_what_is_registered(peer):
    r = run("nmap", "-n", "-Pn", "-sS", "-p1-1000", "-T4", "--reason", peer.address)
    found = dict(re.findall(r"^(\d+)/tcp +(\w+) ", r.stdout, re.M))
    assert {p for p, state in found.items() if state == "open"} == {"7", "9", "19", "80"}, r.stdout
    assert "996 closed tcp ports (reset)" in r.stdout, r.stdout
    r = run("nmap", "-n", "-Pn", "-sU", "-p7,9,19,54,69,161", "-T4", "--reason", peer.address)
    found = dict(re.findall(r"^(\d+)/udp +(\S+) ", r.stdout, re.M))
    assert found["54"] == found["69"] == found["161"] == "closed", r.stdout  # port unreachable
    assert found["9"] == "open|filtered" and found["19"] == "open", r.stdout  # discard has no answer


def test_nmap_cannot_guess_sequence_numbers(peer):
    r = run("nmap", "-n", "-Pn", "-sS", "-O", "-v", "-p80,81", "--max-os-tries", "1", peer.address)
    found = re.search(r"TCP Sequence Prediction: Difficulty=(\d+) \((.*)\)", r.stdout)
    assert found is not None and found.group(2) == "Good luck!", r.stdout  # its hardest


def test_the_server_counts_what_its_stack_did(peer):
    counters = {row["counter"]: row["count"] for row in peer.status()["stack"]}
    assert counters["tcp_conn_in"] > 600 and counters["tcp_in"] > counters["tcp_conn_in"]
    assert counters["tcp_bad"] == counters["ip_bad"] == 0


def test_tcpdump_finds_nothing_wrong(peer):
    """Comes last: what the guest sent in all that was before."""
    r = run("tcpdump", "-n", "-vv", "-r", f"{peer.dir}/all.pcap", "src", "host", peer.address)
    packets = r.stdout.count("\n    ")
    assert packets > 10000, r.stdout[-2000:]
    bad = [line for line in r.stdout.splitlines()
           if re.search(r"\(incorrect|bad (udp |ip |icmp )?(cksum|hdr|opt|length)|bogus|malformed|truncated|\[\|", line)]
    assert not bad, bad[:10]
