# SPDX-License-Identifier: MIT
"""Test cells that together have every pair of values (or every value)."""
import itertools


def wanted(dims, allowed):
    """All pairs ((name, value), (name, value)) that some allowed cell can have."""
    names = list(dims)
    return {((a, x), (b, y)) for a, b in itertools.combinations(names, 2) for x in dims[a] for y in dims[b]
            if allowed({a: x, b: y})}


def covered(cell):
    return {((a, cell[a]), (b, cell[b])) for a, b in itertools.combinations(cell, 2)}


def _extend(cell, dims, todo, allowed):
    """Fill the cell up, name by name, with the values that meet most of todo."""
    for name in dims:
        if name in cell:
            continue
        best = None
        for value in dims[name]:
            trial = {**cell, name: value}
            if not allowed(trial):
                continue
            gain = sum(1 for other in cell for pair in [(((name, value)), (other, cell[other]))]
                       if pair in todo or pair[::-1] in todo)
            gain = (gain, sum(1 for a, b in todo if (name, value) in (a, b)))
            if best is None or gain > best[0]:
                best = (gain, value)
        cell[name] = best[1]
    return {name: cell[name] for name in dims}


def all_pairs(dims, allowed):
    """Greedy and without chance: the same cells every time. `allowed` takes a cell
    or a part of one; a part that it allows must have an allowed completion."""
    todo = wanted(dims, allowed)
    cells = []
    while todo:
        first = min(todo, key=lambda p: (-sum(1 for q in todo if p[0] in q) - sum(1 for q in todo if p[1] in q), repr(p)))
        cell = _extend(dict(first), dims, todo, allowed)
        todo -= covered(cell)
        cells.append(cell)
    return cells


def each_value(dims, cells):
    """Some of these cells that have every value, the most telling first."""
    missing = {(name, value) for name in dims for value in dims[name]}
    chosen = []
    while missing:
        cell = max(cells, key=lambda c: len(missing & set(c.items())))
        missing -= set(cell.items())
        chosen.append(cell)
    return chosen
