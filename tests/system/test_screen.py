# SPDX-License-Identifier: MIT
"""The console on the screen, in graphics and in text mode, and on the keyboard."""
import re

import pytest

import screen

GRAPHICS = """set default=0
set timeout=0
insmod all_video
menuentry "test" {{
    multiboot2 /boot/slipway.elf
    module2 /boot/initrd.tar initrd
    set gfxpayload={mode}
}}
"""


def see_and_type(machine, read):
    """The boot's log from its first line on, the prompt, and a command that is
    typed on the keyboard, mended, and answered on screen and serial line."""
    machine.wait_for("slipway# ", 180)
    text = screen.wait_screen(machine, read, r"^slipway#")
    for line in machine.console_text().splitlines():
        if line.startswith("[ ") and "bytes lost" not in line:
            assert line.rstrip()[:78] in text, line
    assert text.startswith("Slipway ")
    screen.type_text(machine, "echo Hello, World-1".replace(",", "").replace("World", "Wrld"))
    screen.press(machine, "left", "left", "left", "left", "left", "o", "end", "home", "delete", "e", "end", "x",
                 "backspace", "ret")
    machine.wait_for(r"^Hello World-1\n")
    screen.wait_screen(machine, read, r"^slipway# echo Hello World-1 *\nHello World-1\nslipway#")


def test_uefi(start):
    see_and_type(start(firmware="uefi", nic=None, mem=128), screen.graphics_text)


@pytest.mark.parametrize("mode", ["1024x768x32", "800x600x24", "640x480x16"])
def test_bios_in_graphics_mode(start, build, mode):
    machine = start(iso=build.iso(cfg=GRAPHICS.format(mode=mode)), nic=None)
    machine.wait_for(rf"fb0: {mode.rsplit('x', 1)[0]} pixels of {mode[-2:]} bits")
    see_and_type(machine, screen.graphics_text)


@pytest.mark.parametrize("cmdline", ["", "irq=pic timer=pit", "irq=poll", "console=screen"])
def test_bios_in_text_mode(start, cmdline):
    machine = start(nic=None, cmdline=cmdline)
    if cmdline == "console=screen":  # nothing on the serial line: the screen alone
        screen.wait_screen(machine, screen.vga_text, r"^slipway#", 60)
        screen.type_text(machine, "uptime\n")
        screen.wait_screen(machine, screen.vga_text, r"^slipway# uptime\nSlipway .*, up 0:00:")
    else:
        see_and_type(machine, screen.vga_text)


def test_text_that_scrolls(start, build):
    """Many screenfuls: the last one is there, whole, in both kinds of screen."""
    for options, read in ((dict(), screen.vga_text),
                          (dict(iso=build.iso(cfg=GRAPHICS.format(mode="1024x768x32"))), screen.graphics_text)):
        machine = start(nic=None, **options)
        machine.wait_for("slipway# ", 60)
        for _ in range(12):
            last = machine.command("help").splitlines()[-18:]
        screen.wait_screen(machine, read, r"(?s)\A" + "".join(f"(?=.*{re.escape(line.rstrip()[:79])})" for line in last))


def test_no_keyboard_controller(start):
    """Quiet where there is none, and the console still works."""
    machine = start(nic=None, machine="q35,i8042=off")
    machine.wait_for("slipway# ", 60)
    assert "ps2" not in machine.console_text()
    assert "help" in machine.command("help")


def test_signs_that_are_not_ascii(start):
    machine = start(nic=None)
    machine.wait_for("slipway# ", 60)
    machine.write("echo \u00e4\u2554\u2550\u2557\u00c0\u4e00\n")
    screen.wait_screen(machine, screen.vga_text, "^\u00e4\u2554\u2550\u2557A\\?$")
