# SPDX-License-Identifier: MIT
"""One ISO for both firmwares, CD and stick; and what goes wrong says so."""
import urllib.request

import pytest


def page(machine):
    with urllib.request.urlopen(f"http://{machine.address}/", timeout=60) as r:
        return r.read()


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
@pytest.mark.parametrize("media", ["cd", "usb"])
def test_boots(start, firmware, media):
    machine = start(firmware=firmware, media=media, mem=64 if firmware == "bios" else 128)
    machine.wait_ready(180)
    assert b"</html>" in page(machine)
    machine.write("poweroff\n")
    assert machine.wait_exit() == 0


@pytest.mark.parametrize("machine_type", ["q35", "pc"])
def test_16_mib(start, machine_type):
    machine = start(mem=16, machine=machine_type)
    machine.wait_ready()
    assert b"</html>" in page(machine)


def test_uefi_64_mib(start):
    machine = start(mem=64, firmware="uefi")
    machine.wait_ready(180)
    assert b"</html>" in page(machine)


def test_4_gib(start):
    machine = start(mem=4096)
    machine.wait_ready()
    assert b"</html>" in page(machine)


def test_first_line_names_the_version(start, build):
    import subprocess
    version = subprocess.run([build.path("slipway-attach"), "--version"], check=True, stdout=subprocess.PIPE,
                             text=True).stdout.split()[1]
    machine = start()
    machine.wait_for(rf"Slipway {version}")
    machine.wait_ready()
    assert machine.status()["version"] == version


def test_poweroff_and_reboot(start):
    machine = start()
    machine.wait_ready()
    machine.write("reboot\n")  # -no-reboot: QEMU ends
    assert machine.wait_exit() == 0


def test_no_network_card(start):
    machine = start(nic=None)
    machine.wait_for(r"^ready: 192\.168\.7\.2")
    machine.wait_for("slipway# ")
    assert "sl0" in machine.command("ifconfig")


def test_unknown_and_malformed_options(start):
    machine = start(cmdline="bogus=1 clock=sundial nonsense start=nobody net.eth7=dhcp")
    machine.wait_ready()
    text = machine.console_text()
    for word in ("bogus", "clock=sundial", "nonsense", "nobody", '"net.eth7=dhcp" ignored: no such link'):
        assert word in text, word
    assert b"</html>" in page(machine)


GRUB = """set default=0
set timeout=0
menuentry "test" {{
    multiboot2 /boot/slipway.elf
    {module}
}}
"""


def test_missing_initrd(start, build):
    machine = start(iso=build.iso(cfg=GRUB.format(module="")))
    machine.wait_for(r"(?i)no initrd.*")


def test_broken_initrd(start, build, tmp_path):
    junk = tmp_path / "junk"
    junk.write_bytes(b"this is no archive" * 100)
    machine = start(iso=build.iso(cfg=GRUB.format(module="module2 /boot/slipway.elf initrd")))
    machine.wait_for(r"(?i)initrd.*")
    assert "slipway# " not in machine.console_text()


def test_broken_program(start, build, tmp_path):
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF" + b"\x02\x01\x01" + bytes(200))
    machine = start(iso=build.iso(extra=[(str(broken), "bin/echo")], cmdline="start=echo"))
    machine.wait_ready()
    machine.wait_for(r"/bin/echo: not started: .+")
    assert b"</html>" in page(machine)


def test_unreadable_manifest_line(start, build, tmp_path):
    with open(f"{build.src}/iso/etc/servers.conf") as f:
        text = f.read()
    line = text.count("\n") + 3
    conf = tmp_path / "servers.conf"
    conf.write_text(text + "\nserver broken {\n    flavour  vanilla\n    program /bin/echo\n}\n")
    machine = start(iso=build.iso(extra=[(str(conf), "etc/servers.conf")]))
    machine.wait_ready()
    assert f"servers.conf:{line}" in machine.console_text()
    assert b"</html>" in page(machine)


def test_what_is_typed_ahead_runs(start):
    """Keys that come while a command runs are the next commands."""
    machine = start()
    machine.wait_ready()
    machine.write("ping -c 3 127.0.0.1\necho one\n")
    machine.wait_for("1 sent|seq=0|seq=1")
    machine.write("echo two\necho three\n")
    machine.wait_for(r"3 sent, 3 received[\s\S]*^one$[\s\S]*^two$[\s\S]*^three$")
