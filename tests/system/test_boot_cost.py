# SPDX-License-Identifier: MIT
"""From kernel entry to the first server in at most ten million instructions; the
log says where the time went. bench/insn prints the same figure."""
import importlib.machinery
import importlib.util
import os
import re

import vm


def test_boot_cost(build):
    path = os.path.join(build.src, "bench/insn")
    spec = importlib.util.spec_from_loader("bench_insn", importlib.machinery.SourceFileLoader("bench_insn", path))
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    plugin = os.environ.get("INSN_PLUGIN") or build.path("bench/insn_plugin.so")
    files = [os.path.join(build.work, f"boot.{what}") for what in ("counters", "marks")]
    machine = vm.Vm(build, mem=256, qemu_args=["-plugin", f"{plugin},counters={files[0]},marks={files[1]}"])
    try:
        machine.wait_ready()
        insns, strings = bench.boot_cost(files[1])
        assert 100e3 < insns < 10e6 and strings < 1e6
        steps = re.search(r"boot: steps in us: (.*)", machine.console_text()).group(1)
        assert len(re.findall(r"[a-z]+ \d+", steps)) >= 8, steps
    finally:
        machine.close()
