# SPDX-License-Identifier: MIT
"""strace, from the shell, on real programs."""
import re
import subprocess

import pytest


@pytest.fixture(scope="module")
def machine(build):
    import vm
    machine = vm.Vm(build, cmdline="start=echo", nic="virtio")
    with machine.closed_on_failure():
        machine.wait_ready()
    yield machine
    machine.close()
    print(f"---- console of {machine.name} ----\n{machine.console_text()[-6000:]}")


def test_a_program_from_its_first_call_to_its_end(machine):
    """echo lacks no right but the port's: the call that is refused shows, with its errno."""
    text = machine.command("strace echo -p 7777", timeout=60)
    assert re.search(r"^thread_tls\(0x[0-9a-f]+\) = 0 <", text, re.M), text
    assert re.search(r"^port_register\(0x[0-9a-f]+\) = -EACCES <", text, re.M), text
    assert re.search(r'^log_write\(0, "port tcp/7777: Permission denied"', text, re.M) or "log_write(0, \"port udp/7777" in text, text
    assert re.search(r"^exit\(1\)\s*$", text, re.M), text
    assert "+++ exited with status 1 +++" in text, text


def test_counts(machine):
    text = machine.command("strace -c echo -p 7777", timeout=60)
    assert re.search(r"^ *\d+ +\d+ +1 port_register\s*$", text, re.M), text
    assert re.search(r"^ *\d+ +1 +0 exit\s*$", text, re.M), text


def test_strace_of_strace_and_a_program_that_is_not_there(machine):
    text = machine.command("strace strace echo -p 7777", timeout=60)
    assert re.search(r'^spawn\("bin/echo"\) = \d+ <', text, re.M), text
    assert re.search(r'^console_write\("port_register\(0x[0-9a-f]+\) = -EACCES', text, re.M), text
    assert "ENOENT" in machine.command("strace nonesuch", timeout=30)
    assert "no such program" in machine.command("run nonesuch", timeout=30)


def test_a_server_at_work(machine):
    """A server that runs already: its calls show while it serves, it serves on, and Ctrl-C ends strace alone."""
    pid = machine.pid_of("httpd")
    start = len(machine.console_text())
    machine.write(f"strace -p {pid}\n")
    for _ in range(3):
        out = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{machine.address}/"],
                             stdout=subprocess.PIPE, text=True, timeout=30)
        assert out.stdout == "200"
    machine.wait_for(r"wait\(0x[0-9a-f]+, \d+, (never|\+[0-9.]+ ms)\) = \d+ <", 30, start)
    machine.write("\x03")
    machine.wait_for("slipway# ", 30, len(machine.console_text()) - 20)
    assert machine.pid_of("httpd") == pid
    assert "strace" not in machine.command("ps")
    out = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{machine.address}/"],
                         stdout=subprocess.PIPE, text=True, timeout=30)
    assert out.stdout == "200"
