# SPDX-License-Identifier: MIT
"""What a guest's screen shows, and keys typed on its keyboard."""
import os
import re
import time

WIDTH, HEIGHT = 8, 16


def read_font(src):
    """ASCII glyphs of drivers/font_shapes.h: character to 16 rows."""
    font = {}
    with open(os.path.join(src, "drivers/font_shapes.h")) as f:
        for m in re.finditer(r"^    \{'(\\?.)', (\d+), \{([^}]*)\}\}", f.read(), re.M):
            rows = [0] * int(m.group(2)) + [int(x, 0) for x in m.group(3).split(",")]
            font[m.group(1)[-1]] = tuple((rows + [0] * HEIGHT)[:HEIGHT])
    assert len(font) == 95
    return font


def read_ppm(path):
    with open(path, "rb") as f:
        data = f.read()
    m = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
    width, height = int(m.group(1)), int(m.group(2))
    return width, height, data[m.end():]


def pixels_to_text(font, width, height, rgb):
    """Lines of text; a cell that shows no ASCII character exactly gives \\0, and
    the underlined one where the cursor is, the character below it."""
    by_rows = {rows: c for c, rows in font.items()}
    lines = []
    for row in range(height // HEIGHT):
        lit = []
        for y in range(HEIGHT):
            line = rgb[(row * HEIGHT + y) * width * 3:(row * HEIGHT + y + 1) * width * 3]
            lit.append([line[x * 3] > 64 for x in range(width)] if any(line) else None)
        text = ""
        for column in range(width // WIDTH):
            rows = tuple(sum(0x80 >> x for x in range(WIDTH) if r and r[column * WIDTH + x]) for r in lit)
            if rows[-2:] == (0xff, 0xff):
                rows = rows[:-2] + (0, 0)
            text += by_rows.get(rows, "\0")
        lines.append(text.rstrip())
    return lines


def graphics_text(machine):
    path = os.path.join(machine.dir, "screen.ppm")
    machine.qmp("screendump", filename=path)
    return pixels_to_text(read_font(machine.build.src), *read_ppm(path))


def vga_text(machine):
    """All rows of the text window, shown or not."""
    path = os.path.join(machine.dir, "window")
    machine.qmp("pmemsave", val=0xb8000, size=0x8000, filename=path)
    with open(path, "rb") as f:
        window = f.read()
    return [window[at:at + 160:2].decode("cp437").rstrip() for at in range(0, len(window), 160)]


def wait_screen(machine, read, pattern, timeout=30):
    """The screen's text once the pattern is in it."""
    deadline = time.monotonic() + timeout
    while True:
        text = "\n".join(read(machine))
        if re.search(pattern, text, re.M):
            return text
        assert time.monotonic() < deadline, f"no {pattern!r} on the screen:\n{text}"
        time.sleep(0.2)


NAMES = {" ": "spc", "\n": "ret", "-": "minus", ".": "dot", "/": "slash", "=": "equal", "_": "shift-minus",
         "!": "shift-1", ":": "shift-semicolon", '"': "shift-apostrophe"}


def press(machine, *keys):
    """QEMU's names: "a", "shift-a", "left"."""
    for key in keys:
        machine.qmp("human-monitor-command", **{"command-line": f"sendkey {key} 20"})
        time.sleep(0.05)


def type_text(machine, text):
    press(machine, *(NAMES.get(c) or (f"shift-{c.lower()}" if c.isupper() else c) for c in text))
