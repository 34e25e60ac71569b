"""How long is each axis of each array, and how is a size read from the arrays' shapes?

An axis of an array is as long as the largest index that reaches it, plus one (a triangle or a diagonal of a matrix
means a square matrix). With every index linear in the bound
indices that length is a linear expression in the sizes, such as n, 2 m or m + p - 1. Reading the lengths in turn
gives the sizes: an expression with one size unknown tells that size. Indices start at 0.
"""

from dataclasses import dataclass

import sympy as sp

from symdsm.errors import DeclarationError
from symdsm.symbolic.indexed_form import extreme
from symdsm.symbolic.indexed_nodes import LogDet, Solve

__all__ = ["Reading", "lengths", "readings"]

_LARGE = 10**6


@dataclass(frozen=True)
class Reading:
    """size = (length of `axis` of `base` - offset) / stride"""

    size: sp.Symbol
    base: sp.IndexedBase
    axis: int
    stride: sp.Expr
    offset: sp.Expr


def lengths(expr, ranges, noisy) -> dict:
    """{base: (length of each axis)} in terms of the sizes."""
    reached: dict = {}
    for entry in sorted(expr.atoms(sp.Indexed), key=sp.default_sort_key):
        axes = reached.setdefault(entry.base, [set() for _ in entry.indices])
        if len(axes) != len(entry.indices):
            raise DeclarationError(
                given=f"{entry.base} with {len(axes)} and with {len(entry.indices)} indices",
                expected="the same number of indices everywhere",
                fix="index each array in one way only",
            )
        for axis, index in enumerate(entry.indices):
            axes[axis].add((extreme(index, ranges, False), extreme(index, ranges, True)))
    for node in (*expr.atoms(Solve), *expr.atoms(LogDet)):
        if isinstance(node.args[0], sp.Symbol):
            base = next((b for b in reached if b.label == node.args[0]), sp.IndexedBase(node.args[0]))
            for axis in reached.setdefault(base, [set(), set()] if isinstance(node, Solve) else []):
                axis |= {(sp.S.Zero, node.args[1] - 1)} if isinstance(node, Solve) else set()
    whole = _whole_ranges(expr, ranges)
    return {
        base: _squared([_length(base, k, ends, base == noisy) for k, ends in enumerate(axes)], whole.get(base, set()))
        for base, axes in sorted(reached.items(), key=lambda item: (item[0] != noisy, str(item[0])))
    }


def _whole_ranges(expr, ranges):
    """{base: axes indexed by a bound index alone, whose range depends on no other index}"""
    found: dict = {}
    for entry in expr.atoms(sp.Indexed):
        for axis, index in enumerate(entry.indices):
            if index in ranges and not any(s in ranges for s in sp.Tuple(*ranges[index]).free_symbols):
                found.setdefault(entry.base, set()).add(axis)
    return found


def _squared(axes, whole):
    """A matrix used in a triangle or along a diagonal is square, though its last row or column is never reached."""
    out = list(axes)
    for k, length in enumerate(axes):
        for other in axes:
            more = sp.expand(other - length)
            if k not in whole and more.is_Integer and more > 0:
                out[k] = other
    return tuple(out)


def _length(base, axis, ends, is_noisy):
    low = [e for e, _ in ends]
    for bound in low:
        if _at_large(bound) < 0:
            raise DeclarationError(
                given=f"index {bound} on axis {axis} of {base}",
                expected="indices from 0 up to the length minus one",
                fix="start the sum later, or use Mod(index, n) for a ring",
            )
    if is_noisy and 0 not in low:
        raise DeclarationError(
            given=f"axis {axis} of {base} is used from index {min(low, key=_at_large)} on",
            expected="indices that start at 0",
            fix="write the sum over (i, 0, n - 1)",
        )
    high = sorted({e for _, e in ends}, key=sp.default_sort_key)
    if base.shape is not None:
        if any(_at_large(base.shape[axis] - 1 - h) < 0 for h in high):
            raise DeclarationError(
                given=f"an index beyond the declared shape {base.shape} of {base}",
                expected="indices from 0 up to the length minus one",
                fix="shorten the sum or drop the shape",
            )
        return base.shape[axis]
    largest = max(high, key=_at_large)
    rivals = [h for h in high if h.free_symbols and h.free_symbols != largest.free_symbols]
    return (sp.Max(largest, *rivals) if rivals else largest) + 1


def _at_large(e):
    """The value at large sizes: which of two bounds is the larger does not depend on small offsets."""
    return sp.sympify(e).subs({s: _LARGE for s in e.free_symbols})


def readings(shapes: dict, sizes: set, without=None) -> list[Reading]:
    """In which order the sizes are read, from which axes; `without` is an array whose shape is not known yet."""
    unknown, found = set(sizes), []
    while unknown:
        step = next(_readable(shapes, unknown, without), None)
        if step is None:
            names = ", ".join(sorted(map(str, unknown)))
            raise DeclarationError(
                given=f"the size {names}, which no array's shape tells",
                expected="sizes that can be read from the arrays: some axis of length n, 2*n or n + 1",
                fix="use one symbol per axis, or write the number instead of the symbol",
            )
        found.append(step)
        unknown.discard(step.size)
    return found


def _readable(shapes, unknown, without):
    for base, axes in shapes.items():
        if base == without:
            continue
        for axis, length in enumerate(axes):
            missing = length.free_symbols & unknown
            if len(missing) != 1 or length.has(sp.Max):
                continue
            (size,) = missing
            stride = length.coeff(size, 1)
            if stride != 0:
                yield Reading(size, base, axis, stride, sp.expand(length - stride * size))
