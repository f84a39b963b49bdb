# SPDX-License-Identifier: MIT
"""A network namespace of our own, taps in it, a DHCP server and pages to fetch."""
import contextlib
import ctypes
import functools
import http.server
import itertools
import os
import subprocess
import threading

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
_numbers = itertools.count(1)


def run(*words, check=True, timeout=20):
    return subprocess.run(words, check=check, timeout=timeout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def enter():
    """Move this process into a fresh network namespace; as an ordinary user,
    into a user namespace first, in which it is root."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    flags = CLONE_NEWNET | (CLONE_NEWUSER if uid else 0)
    if libc.unshare(flags) != 0:
        raise RuntimeError("cannot make a network namespace: " + os.strerror(ctypes.get_errno()))
    if uid:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w") as f:
                f.write(text)
    run("ip", "link", "set", "lo", "up")


class Tap:
    """A tap with the host side at 10.77.N.1/24 and, if wanted, dnsmasq on it."""

    def __init__(self, directory, dhcp=True, lease="1h", extra=(), ip6=False):
        self.number = next(_numbers)
        self.name = f"tap{self.number}"
        self.host = f"10.77.{self.number}.1"
        self.dhcp = None
        run("ip", "tuntap", "add", "dev", self.name, "mode", "tap")
        run("ip", "addr", "add", self.host + "/24", "dev", self.name)
        # No router solicitations or duplicate address detection between our frames, unless asked for.
        with open(f"/proc/sys/net/ipv6/conf/{self.name}/disable_ipv6", "w") as f:
            f.write("0" if ip6 else "1")
        with open(f"/proc/sys/net/ipv6/conf/{self.name}/accept_dad", "w") as f:
            f.write("0")
        run("ip", "link", "set", self.name, "up")
        if ip6:
            self.prefix6 = f"fd77:{self.number:x}:"
            self.host6 = f"{self.prefix6}:1"
            run("ip", "addr", "add", self.host6 + "/64", "dev", self.name, "nodad")
            extra = [*extra, "--enable-ra", f"--dhcp-range={self.prefix6}:,ra-only,64,1h", f"--ra-param={self.name},0,1800"]
        if dhcp:
            self.start_dhcp(directory, lease, extra)

    def start_dhcp(self, directory, lease="1h", extra=()):
        self.dhcp = subprocess.Popen(
            ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--group=root", "--no-resolv",
             "--no-hosts", "--pid-file=", "--log-dhcp", "--log-facility=-", f"--interface={self.name}",
             "--bind-interfaces", "--except-interface=lo", "--no-ping", "--dhcp-authoritative",
             f"--dhcp-leasefile={directory}/leases", f"--dhcp-range=10.77.{self.number}.100,10.77.{self.number}.200,{lease}",
             "--address=/slipway.test/10.1.2.3", *extra],
            stdin=subprocess.DEVNULL, stdout=open(f"{directory}/dnsmasq.log", "w"), stderr=subprocess.STDOUT)

    def close(self):
        if self.dhcp:
            self.dhcp.terminate()
            try:
                self.dhcp.wait(5)
            except subprocess.TimeoutExpired:
                self.dhcp.kill()
                self.dhcp.wait()
        run("ip", "link", "del", self.name, check=False)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextlib.contextmanager
def pages(host, port, folder):
    """The folder's files by HTTP, as long as the context lasts."""
    server = http.server.ThreadingHTTPServer((host, port), functools.partial(_Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
