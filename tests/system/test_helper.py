# SPDX-License-Identifier: MIT
"""A program that computes and makes no call: what its peers send is acknowledged all
the same, and its connections are kept alive."""
import fcntl
import socket
import struct
import termios
import time

PORT = 7073
BYTES = 60000  # less than the receive buffer
ESTABLISHED, FIN_WAIT_2 = 1, 5  # of Linux' enum


def connect(address):
    s = socket.create_connection((address, PORT), timeout=20)
    s.settimeout(20)
    return s


def state(s):
    return s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0]


def unacknowledged(s):
    return struct.unpack("i", fcntl.ioctl(s, termios.TIOCOUTQ, b"\0" * 4))[0]


def test_acknowledged_while_the_owner_computes(start):
    """C-WAKE-2. The server computes for 4 s once both have connected."""
    machine = start(cmdline="start=computer")
    machine.wait_ready()
    with connect(machine.address) as bulk, connect(machine.address) as quiet:
        began = time.monotonic()
        quiet.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 1)):
            quiet.setsockopt(socket.IPPROTO_TCP, option, value)  # gives up after 2 s without an answer
        bulk.sendall(b"x" * BYTES)
        bulk.shutdown(socket.SHUT_WR)
        while unacknowledged(bulk) > 0 or state(bulk) != FIN_WAIT_2:
            assert time.monotonic() - began < 2, (unacknowledged(bulk), state(bulk))
            time.sleep(0.02)
        time.sleep(max(0, began + 3.5 - time.monotonic()))
        assert state(quiet) == ESTABLISHED, "no keep-alive was answered"
        quiet.shutdown(socket.SHUT_WR)
        total, helps = bulk.recv(100).split()
        assert total == b"%d" % BYTES and int(helps) > 0
        assert quiet.recv(100).startswith(b"0 ")
        assert time.monotonic() - began > 3.9, "it did not compute"
