# SPDX-License-Identifier: MIT
"""Boots ISOs in QEMU and talks to their console."""
import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import netns

_counter = itertools.count(1)

NIC_DEVICE = {
    "virtio": "virtio-net-pci",
    "virtio-modern": "virtio-net-pci,disable-legacy=on,disable-modern=off",
    "virtio-legacy": "virtio-net-pci,disable-legacy=off,disable-modern=on",
    "rtl8139": "rtl8139",
    "e1000": "e1000",
    "e1000e": "e1000e",
}


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


class Build:
    """The build tree under test, and the variants of the ISO made from it."""

    def __init__(self):
        self.tree = os.environ.get("SLIPWAY_BUILD", os.getcwd())
        self.src = os.environ.get("SLIPWAY_SRC", os.path.abspath(os.path.join(os.path.dirname(__file__), "../../..")))
        self.work = os.path.join(self.tree, "obj", "check")
        os.makedirs(self.work, exist_ok=True)
        self.qemu = os.environ.get("QEMU", "qemu-system-x86_64")

    def path(self, name):
        return os.path.join(self.tree, name)

    @contextlib.contextmanager
    def lock(self):
        """Several runners share the build tree: one makes a file, the others find it."""
        with open(os.path.join(self.work, "lock"), "w") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            yield

    def random_file(self, name, size):
        path = os.path.join(self.work, name)
        with self.lock():
            if not os.path.exists(path) or os.path.getsize(path) != size:
                with open(path, "wb") as f:
                    f.write(os.urandom(size))
        return path

    def iso(self, cmdline="", extra=(), cfg=None, drop=()):
        """An ISO with boot options, more initrd files [(path, dest)], another
        grub.cfg, or without some files of the initrd."""
        with self.lock():
            return self._iso(cmdline, extra, cfg, drop)

    def _iso(self, cmdline, extra, cfg, drop):
        content = [(digest(path), dest) for path, dest in sorted(extra)]
        key = hashlib.sha256(repr((cmdline, content, cfg, sorted(drop),
                                   os.path.getmtime(self.path("slipway.iso")))).encode()).hexdigest()[:16]
        out = os.path.join(self.work, key + ".iso")
        if os.path.exists(out):
            return out
        initrd = self.initrd(key, extra, drop)
        command = ["sh", os.path.join(self.src, "iso/mk-iso"), "--kernel", self.path("kernel.elf"), "--initrd", initrd,
                   "--cmdline", cmdline, "--work", os.path.join(self.work, key + ".tmp"), "-o", out]
        if cfg is not None:
            path = os.path.join(self.work, key + ".cfg")
            with open(path, "w") as f:
                f.write(cfg)
            command += ["--cfg", path]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, timeout=120)
        assert result.returncode == 0, result.stdout
        shutil.rmtree(os.path.join(self.work, key + ".tmp"), ignore_errors=True)
        return out

    def initrd(self, key, extra, drop):
        if not extra and not drop:
            return self.path("initrd.tar")
        root = os.path.join(self.work, key + ".root")
        shutil.rmtree(root, ignore_errors=True)
        os.makedirs(root)
        subprocess.run(["tar", "-xf", self.path("initrd.tar"), "-C", root], check=True)
        for path, dest in extra:
            target = os.path.join(root, dest)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(path, target)
        for name in drop:
            os.remove(os.path.join(root, name))
        out = os.path.join(self.work, key + ".tar")
        subprocess.run(["tar", "--format=ustar", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "-cf", out,
                        "-C", root, "."], check=True)
        shutil.rmtree(root)
        return out


class Vm:
    """One QEMU. Closes its process, taps and files by itself."""

    def __init__(self, build, nic="virtio", net="tap", machine="q35", firmware="bios", media="cd", mem=64, smp=1,
                 cmdline="", extra=(), iso=None, qemu_args=(), icount=None, dhcp=True, cpu=None, com1=True, lease="1h", vnet_hdr=True,
                 nic_options="", bus_args=(), com1_fd=None, reboot=False, console="com2", ip6=False):
        self.build = build
        self.dir = tempfile.mkdtemp(prefix="vm-", dir=build.work)
        self.name = f"vm{next(_counter)} ({nic}, {machine}, {firmware}, {cmdline or 'no options'})"
        self.tap = None
        self.process = None
        self.console = None
        self.address = None
        self._text = ""
        self._rest = ""
        self._lock = threading.Condition()
        self._mark = 0
        iso = iso or build.iso(cmdline, extra)
        args = [build.qemu, "-accel", "tcg", "-machine", machine, "-m", str(mem), "-smp", str(smp), "-display", "none",
                "-nodefaults", *([] if reboot else ["-no-reboot"]), "-vga", "std",
                "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                "-qmp", f"unix:{self.dir}/qmp,server=on,wait=off",
                "-chardev", f"socket,id=com1,path={self.dir}/com1,server=on,wait=off" if com1_fd is None else
                f"socket,id=com1,fd={com1_fd}",
                "-serial", "chardev:com1" if com1 else "none"]
        if console == "com2":
            args += ["-chardev", f"socket,id=com2,path={self.dir}/com2,server=on,wait=off", "-serial", "chardev:com2"]
        if cpu:
            args += ["-cpu", cpu]
        if icount:
            args += ["-icount", icount]
        if firmware == "uefi":
            code = os.environ.get("OVMF_CODE") or "/usr/share/OVMF/OVMF_CODE.fd"
            variables = os.path.join(self.dir, "vars.fd")
            shutil.copyfile(os.path.join(os.path.dirname(code), os.path.basename(code).replace("CODE", "VARS")), variables)
            args += ["-drive", f"if=pflash,format=raw,readonly=on,file={code}",
                     "-drive", f"if=pflash,format=raw,file={variables}"]
        if media == "cd":
            args += ["-cdrom", iso]
        else:
            args += ["-drive", f"if=none,id=stick,format=raw,readonly=on,file={iso}", "-device", "qemu-xhci",
                     "-device", "usb-storage,drive=stick,bootindex=1"]
        args += bus_args  # bridges, before what sits behind them
        args += self._network(nic, net, dhcp, lease, vnet_hdr, ip6)
        if nic_options:
            args[-1] += "," + nic_options
        args += [a.replace("DIR/", self.dir + "/") for a in qemu_args]
        with self.closed_on_failure():
            self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=open(f"{self.dir}/qemu.log", "w"),
                                            stderr=subprocess.STDOUT, pass_fds=() if com1_fd is None else (com1_fd,))
            if console is not None:
                self.talk_through(self._connect(console))

    def talk_through(self, console):
        """The console is there: something with recv, sendall and close."""
        self.console = console
        self._reader = threading.Thread(target=self._read_console, daemon=True)
        self._reader.start()

    def _network(self, nic, net, dhcp, lease, vnet_hdr, ip6=False):
        if nic is None:
            return []
        if net == "tap":
            self.tap = netns.Tap(self.dir, dhcp=dhcp, lease=lease, ip6=ip6)
            backend = f"tap,id=n0,ifname={self.tap.name},script=no,downscript=no,vnet_hdr={'on' if vnet_hdr else 'off'}"
        else:  # a raw peer: see peer.py
            backend = net.replace("DIR", self.dir)
        return ["-netdev", backend, "-device", NIC_DEVICE[nic] + ",netdev=n0,mac=52:54:00:77:00:01"]

    def _connect(self, name, timeout=10):
        deadline = time.monotonic() + timeout
        while True:
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(os.path.join(self.dir, name))
                return s
            except OSError:
                s.close()
                if self.process.poll() is not None or time.monotonic() > deadline:
                    with open(f"{self.dir}/qemu.log") as f:
                        raise RuntimeError("QEMU did not start: " + f.read())
                time.sleep(0.02)

    # -- console

    def _read_console(self):
        while True:
            try:
                data = self.console.recv(65536)
            except OSError:
                data = b""
            with self._lock:
                if not data:
                    self._lock.notify_all()
                    return
                # As a terminal would show it; an escape sequence may come in two pieces.
                text = self._rest + data.decode("latin-1").replace("\r", "")
                m = re.search(r"\x1b(\[[0-9;]*)?$", text)
                self._rest = m.group(0) if m else ""
                self._text += re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text[:len(text) - len(self._rest)])
                self._lock.notify_all()

    def console_text(self):
        with self._lock:
            return self._text

    def wait_for(self, pattern, timeout=60, start=0):
        """First match of the pattern in the console's text from `start` on."""
        deadline = time.monotonic() + timeout
        with self._lock:
            while True:
                m = re.compile(pattern, re.M).search(self._text, start)
                if m:
                    return m
                left = deadline - time.monotonic()
                if left <= 0 or (self.process.poll() is not None and not self._reader.is_alive()):
                    raise AssertionError(f"{self.name}: no {pattern!r} on the console; last:\n{self._text[-3000:]}")
                self._lock.wait(min(left, 0.5))

    def wait_ready(self, timeout=90):
        """Address on the Ethernet link, and the prompt."""
        if self.tap:
            self.address = self.wait_for(rf"^ready: (10\.77\.{self.tap.number}\.\d+)\n", timeout).group(1)
        self.wait_for(r"slipway# ", timeout)
        return self

    @contextlib.contextmanager
    def closed_on_failure(self):
        """For fixtures: what fails before `yield` leaves nothing behind."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def write(self, text):
        self.console.sendall(text.encode())

    def command(self, text, timeout=30):
        """Type a command; what it printed until the next prompt. (The prompt may
        be drawn anew at any time; what counts is the one after the echo.)"""
        with self._lock:
            start = len(self._text)
        self.write(text + "\n")
        log = r"(?:\[ *\d+\.\d+\] .*\n)*"  # another processor's lines come when they come
        echo = self.wait_for(log.join(re.escape(c) for c in text + "\n"), timeout, start)
        m = self.wait_for(r"^slipway# ", timeout, echo.end())
        return m.string[echo.end():m.start()]

    # -- control

    def qmp(self, execute, **arguments):
        s = self._connect("qmp")
        s.settimeout(20)
        f = s.makefile("rw")
        f.readline()
        for command in ({"execute": "qmp_capabilities"}, {"execute": execute, "arguments": arguments}):
            f.write(json.dumps(command) + "\n")
            f.flush()
            while True:
                answer = json.loads(f.readline())
                if "event" not in answer:
                    break
        s.close()
        assert "error" not in answer, answer
        return answer["return"]

    def com1(self):
        return self._connect("com1")

    def pid_of(self, name):
        for line in self.command("ps").splitlines():
            words = line.split()
            if words and words[0].isdigit() and words[-1] == name:  # not a line of the log between them
                return int(words[0])
        raise AssertionError(f"no process {name}")

    def status(self):
        """The guest's own counters, as httpd shows them."""
        import urllib.request
        with urllib.request.urlopen(f"http://{self.address}/status.json", timeout=20) as r:
            return json.load(r)

    def wait_exit(self, timeout=30):
        return self.process.wait(timeout)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.console:
            self.console.close()
        if self.tap:
            self.tap.close()
            self.tap = None
        shutil.rmtree(self.dir, ignore_errors=True)
