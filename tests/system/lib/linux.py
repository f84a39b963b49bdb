# SPDX-License-Identifier: MIT
"""A small Linux in a QEMU of its own: Debian's kernel with its SLIP, busybox and
slattach, on the other end of a serial line."""
import glob
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

BUSYBOX = "/bin/busybox"
SLATTACH = "/usr/sbin/slattach"


def kernel():
    """The newest kernel here that has its SLIP beside it; None without one."""
    for image in sorted(glob.glob("/boot/vmlinuz-*"), reverse=True):
        version = image.split("vmlinuz-", 1)[1]
        if glob.glob(f"/lib/modules/{version}/kernel/drivers/net/slip/slip.ko"):
            return image, f"/lib/modules/{version}/kernel/drivers/net/slip"
    return None


def missing():
    if kernel() is None:
        return "no Linux kernel with SLIP in /boot (linux-image-amd64)"
    for path, package in ((BUSYBOX, "busybox-static"), (SLATTACH, "net-tools")):
        if not os.path.exists(path):
            return f"no {path} ({package})"
    return None


def cpio(files, links=(), dirs=()):
    """An initramfs: newc headers (Linux, Documentation/driver-api/early-userspace/
    buffer-format.rst)."""
    out = bytearray()

    def entry(name, mode, data=b""):
        fields = (len(out) + 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out.extend(b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0")
        out.extend(b"\0" * (-len(out) % 4))
        out.extend(data)
        out.extend(b"\0" * (-len(out) % 4))
    for name in dirs:
        entry(name, 0o040755)
    for name, data in files:
        entry(name, 0o100755, data)
    for name, target in links:
        entry(name, 0o120777, target.encode())
    entry("TRAILER!!!", 0)
    return bytes(out)


INIT = """#!/bin/sh
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev
insmod /mod/slhc.ko; insmod /mod/slip.ko
ifconfig lo 127.0.0.1 up
exec </dev/ttyS1 >/dev/ttyS1 2>&1
stty -echo -F /dev/ttyS1
echo linux is up
exec setsid sh
"""


def libraries(program):
    """What the dynamic linker wants, as (path in the image, contents)."""
    text = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=True).stdout
    for path in re.findall(r"(/\S+) \(0x", text):
        with open(path, "rb") as f:
            yield path.lstrip("/"), f.read()


class Linux:
    """Its COM1 is the line: a socket that it connects to. Commands go over COM2."""

    def __init__(self, build, com1, files=()):
        image, modules = kernel()
        self.dir = tempfile.mkdtemp(prefix="linux-", dir=build.work)
        self._text = ""
        self._lock = threading.Condition()
        contents = [("init", INIT.encode())]
        for name, path in (("bin/busybox", BUSYBOX), ("bin/slattach", SLATTACH), ("mod/slip.ko", modules + "/slip.ko"),
                           ("mod/slhc.ko", modules + "/slhc.ko"), *files):
            with open(path, "rb") as f:
                contents.append((name, f.read()))
        contents += libraries(SLATTACH)
        dirs = sorted({"/".join(n.split("/")[:i]) for n, _ in contents for i in range(1, n.count("/") + 1)} |
                      {"proc", "sys", "dev", "tmp", "etc", "www"}, key=len)
        applets = "sh mount insmod ifconfig stty echo setsid ping wget httpd sha256sum route cat sleep kill head nc".split()
        with open(f"{self.dir}/initrd", "wb") as f:
            f.write(cpio(contents, [(f"bin/{a}", "busybox") for a in applets], dirs))
        self.process = subprocess.Popen(
            [build.qemu, "-accel", "tcg", "-m", "256", "-display", "none", "-nodefaults", "-no-reboot",
             "-kernel", image, "-initrd", f"{self.dir}/initrd", "-append", "console=ttyS1 quiet panic=-1",
             "-chardev", f"socket,id=com1,path={com1}", "-chardev", f"socket,id=com2,path={self.dir}/com2,server=on,wait=off",
             "-serial", "chardev:com1", "-serial", "chardev:com2"],
            stdin=subprocess.DEVNULL, stdout=open(f"{self.dir}/qemu.log", "w"), stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 20
        self.console = socket.socket(socket.AF_UNIX)
        while self.console.connect_ex(f"{self.dir}/com2") != 0:
            assert self.process.poll() is None and time.monotonic() < deadline, open(f"{self.dir}/qemu.log").read()
            time.sleep(0.05)
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self._wait("linux is up", 0, 120)
        except BaseException:
            self.close()
            raise

    def _read(self):
        while True:
            try:
                data = self.console.recv(65536)
            except OSError:
                data = b""
            with self._lock:
                self._text += data.decode("latin-1").replace("\r", "")
                self._lock.notify_all()
            if not data:
                return

    def _wait(self, text, start, timeout):
        deadline = time.monotonic() + timeout
        with self._lock:
            while (at := self._text.find(text, start)) < 0:
                left = deadline - time.monotonic()
                assert left > 0, f"Linux: no {text!r}; last:\n{self._text[-3000:]}"
                self._lock.wait(min(left, 0.5))
            return at

    def run(self, command, timeout=60):
        """A line for its shell; what it printed."""
        with self._lock:
            start = len(self._text)
        mark = f"done{time.monotonic_ns()}"
        self.console.sendall(f"{command}; echo {mark[:4]}''{mark[4:]}\n".encode())
        at = self._wait(mark, start, timeout)
        return self._text[start:at]

    def attach(self, protocol, local="192.168.7.1", peer="192.168.7.2", mtu=1006):
        self.run(f"slattach -L -p {protocol} -s 115200 /dev/ttyS0 & sleep 1")
        return self.run(f"ifconfig sl0 {local} pointopoint {peer} mtu {mtu} up; ifconfig sl0")

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.console.close()
        shutil.rmtree(self.dir, ignore_errors=True)
