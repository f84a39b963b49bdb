# SPDX-License-Identifier: MIT
"""Instructions that a TCP segment costs on the host, beside lwIP at the same work."""
import os
import subprocess


def test_every_column_is_below_lwips(build):
    run = subprocess.run([os.path.join(build.src, "bench/stack"), "--check", "--segments", "600"], timeout=300,
                         env=dict(os.environ, SLIPWAY_BUILD=build.tree), stdout=subprocess.PIPE, text=True)
    print(run.stdout)
    assert run.returncode == 0
