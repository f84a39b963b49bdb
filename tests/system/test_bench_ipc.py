# SPDX-License-Identifier: MIT
"""What messages and switches cost stays under its limit. The emulator counts
instructions, so the figures don't depend on how busy this machine is."""
import importlib.machinery
import importlib.util
import os
import statistics

import pytest


@pytest.fixture(scope="module")
def costs(build):
    path = os.path.join(build.src, "bench/ipc")
    spec = importlib.util.spec_from_loader("bench_ipc", importlib.machinery.SourceFileLoader("bench_ipc", path))
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    results = bench.measure(build)
    bench.show(build, results)
    return {name.strip(): (limit, insns, strings) for name, limit, _, insns, strings in results}


def test_every_limit_holds(costs):
    limited = {name: limit for name, (limit, _, _) in costs.items() if limit}
    assert sorted(limited.values()) == [100, 300, 600, 600, 1000, 1000, 1000, 400000]
    over = {name: statistics.median(costs[name][1]) for name, limit in limited.items()
            if statistics.median(costs[name][1]) > limit}
    assert not over


def test_two_marks_cost_nothing(costs):
    """Else what is shown would not be what was asked for."""
    assert set(costs["nothing (what two marks cost)"][1]) == {0}


def test_string_instructions_hide_nothing(costs):
    """A copy by rep movs would be one instruction, and the table would lie."""
    for name, (limit, _, strings) in costs.items():
        if limit and limit <= 1000:
            assert max(strings) == 0, name
