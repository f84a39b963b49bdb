# SPDX-License-Identifier: MIT
"""Ten thousand connections in one server, served through epoll (section 6 of the
design): all of them open at once, bytes both ways on each, and what
each costs while it is idle."""
import errno
import resource
import select
import socket
import time

PORT = 7072
COUNT = 10000
IN_FLIGHT = 200  # handshakes at a time: fewer than the listener's backlog
BYTES_EACH = 2048  # for an idle connection: tcb, descriptor, epoll's entry, tables


def raise_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= COUNT + 100, f"the hard limit of open files is {hard}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (COUNT + 100, hard))


def ask(s):
    """Connections, bytes that the process uses, calls of epoll_wait, events."""
    s.sendall(b"?")
    line = b""
    while not line.endswith(b"\n"):
        more = s.recv(200)
        assert more, line
        line += more
    return tuple(int(word) for word in line.split())


def open_all(address, seconds, count=COUNT):
    """So many connections, IN_FLIGHT handshakes at a time."""
    ep, pending, done, end = select.epoll(), {}, [], time.monotonic() + seconds
    while len(done) < count:
        while len(pending) < IN_FLIGHT and len(pending) + len(done) < count:
            s = socket.socket()
            s.setblocking(False)
            assert s.connect_ex((address, PORT)) == errno.EINPROGRESS
            pending[s.fileno()] = s
            ep.register(s.fileno(), select.EPOLLOUT)
        for fd, _ in ep.poll(5):
            s = pending.pop(fd)
            ep.unregister(fd)
            assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            done.append(s)
        assert time.monotonic() < end, f"{len(done)} connections in {seconds} s"
    ep.close()
    return done


def echo_on_all(conns, length, seconds):
    ep, left, end = select.epoll(), {}, time.monotonic() + seconds
    for i, s in enumerate(conns):
        data = b"%06d" % i + b"x" * (length - 6)
        left[s.fileno()] = (s, data)
        assert s.send(data) == length
        ep.register(s.fileno(), select.EPOLLIN)
    while left:
        for fd, _ in ep.poll(5, 1000):
            s, data = left[fd]
            got = s.recv(length)
            assert got and data.startswith(got), (data[:6], got[:6])
            if len(got) == len(data):
                del left[fd]
                ep.unregister(fd)
            else:
                left[fd] = (s, data[len(got):])
        assert time.monotonic() < end, f"{len(left)} of {len(conns)} unanswered"
    ep.close()


def test_ten_thousand_connections(start):
    """C-EVENT-2, C-EVENT-3."""
    raise_limit()
    machine = start(cmdline="start=many", mem=128)
    machine.wait_ready()
    with socket.create_connection((machine.address, PORT), timeout=20) as control:
        control.settimeout(20)
        _, before, _, _ = ask(control)
        conns = open_all(machine.address, 60)
        echo_on_all(conns, 100, 60)
        time.sleep(0.5)  # what waited for acknowledgement has been released
        count, used, waits, events = ask(control)
        assert count == COUNT + 1
        each = (used - before) / COUNT
        print(f"{each:.0f} bytes for an idle connection, {waits} waits, {events} events")
        assert each <= BYTES_EACH, each
        for s in conns[::100]:  # and single ones go on among the rest
            s.settimeout(10)
            s.sendall(b"again")
            assert s.recv(100) == b"again"
        count, _, waits2, events2 = ask(control)
        assert events2 - events <= len(conns[::100]) + 2, "epoll_wait reported what nobody sent"
        for s in conns:
            s.close()
        end = time.monotonic() + 20
        while count > 1:
            assert time.monotonic() < end, f"{count} connections left"
            time.sleep(0.2)
            count, _, _, _ = ask(control)
        conns = open_all(machine.address, 60, COUNT // 4)  # what the others used serves these
        echo_on_all(conns, 100, 60)
        assert ask(control)[1] <= used + (64 << 10)
        for s in conns:
            s.close()
    assert "error" not in "".join(l for l in machine.console_text().splitlines() if "many:" in l)
