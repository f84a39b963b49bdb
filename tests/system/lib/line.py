# SPDX-License-Identifier: MIT
"""A serial line of a given speed between QEMU's COM1 and a Unix socket.

QEMU's 16550 sends as fast as its other end takes bytes, so the other end has to
be slow, and must not hold much: QEMU gets one half of a socket pair whose send
buffer holds some forty bytes (each is a write, with a kernel buffer of its own),
and this thread takes bytes out of it no faster than the line would."""
import os
import select
import socket
import threading
import time

STEP = 0.002       # seconds between two looks
BURST = 0.1        # seconds' worth of bytes that may follow late: this host is not punctual
SNDBUF = 16 << 10  # about 40 one-byte writes


class SlowLine:
    """Hand `fd` to QEMU (Vm(com1_fd=line.fd)); the far end connects to `path`.
    Bytes are counted for each direction as they pass."""

    def __init__(self, directory, baud):
        self.rate = baud / 10  # a byte is ten bits on the line
        self.path = os.path.join(directory, f"line-{baud}-{id(self):x}")
        self.near, far = socket.socketpair()
        for s in (self.near, far):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SNDBUF)
        os.set_inheritable(far.fileno(), True)
        self._far = far
        self.fd = far.fileno()
        self.from_guest = self.to_guest = 0
        self.tape = None  # a list: (seconds, "down" or "up", bytes) of all that passes
        self._listen()
        self._stop = False
        self.unplugged = False  # True: whatever is sent is lost, both ways
        self.hung_up = False    # True: and the far end is thrown out, and finds nobody
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _listen(self):
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(self.path)
        self._server.listen(1)
        self._server.settimeout(0.2)

    def started(self):
        """QEMU has its end: ours of it is closed, so that it sees a hang-up."""
        self._far.close()

    def _run(self):
        host = None
        credit = {"down": 0.0, "up": 0.0}
        before = time.monotonic()
        while not self._stop:
            if self.hung_up:
                if self._server is not None:
                    self._server.close()
                    self._server = None
                    os.remove(self.path)
                if host is not None:
                    host.close()
                    host = None
                if select.select([self.near], [], [], STEP)[0]:
                    self.near.recv(4096)
                continue
            if self._server is None:
                self._listen()
            if host is None:
                try:
                    host, _ = self._server.accept()
                    host.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SNDBUF)
                except OSError:
                    continue
                before = time.monotonic()
            time.sleep(STEP)
            now = time.monotonic()
            for way in credit:  # what was not used in time is gone, as on a line
                credit[way] = min(credit[way] + (now - before) * self.rate, BURST * self.rate)
            before = now
            if not self._move(host, credit):
                host.close()
                host = None
        if host:
            host.close()
        if self._server is not None:
            self._server.close()
        self.near.close()

    def _move(self, host, credit):
        for way, a, b in (("down", self.near, host), ("up", host, self.near)):
            while credit[way] >= 1 and select.select([a], [], [], 0)[0]:
                data = a.recv(int(credit[way]))
                if not data:
                    return False
                credit[way] -= len(data)
                if self.tape is not None:
                    self.tape.append((time.monotonic(), way, data))
                if way == "down":
                    self.from_guest += len(data)
                else:
                    self.to_guest += len(data)
                if not self.unplugged:
                    try:
                        b.sendall(data)
                    except OSError:
                        return False
        return True

    def close(self):
        self._stop = True
        self._thread.join(10)
        try:
            os.remove(self.path)
        except OSError:
            pass
