"""Indexed expressions for people: named indices, the user's symbols, and the score as a function of its index."""

import sympy as sp

from symdsm.symbolic.indexed_nodes import Axis, Mask

__all__ = ["Words", "in_event_index"]


class Words:
    """Puts the user's symbols back and gives each bound index a plain name of its own."""

    def __init__(self, given: dict):
        self.given = given

    def of(self, e):
        taken = {s.name for s in e.atoms(sp.Symbol) if not isinstance(s, Axis)}
        taken |= {s.name for s in self.given.values() if s.is_Symbol}
        names = {}
        for axis in sorted(e.atoms(Axis), key=lambda a: a.dummy_index):
            names[axis] = sp.Symbol(_unused(axis.name, taken), integer=True)
            taken.add(names[axis].name)
        return self._plain(e, names)

    def _plain(self, e, names):
        if isinstance(e, sp.Indexed):
            base = self.given.get(e.base, e.base)
            return base[tuple(self._plain(i, names) for i in e.indices)]
        if isinstance(e, sp.IndexedBase):
            return self.given.get(e, e)
        if isinstance(e, sp.Symbol):
            return names.get(e, self.given.get(e, e))
        if not e.args:
            return e
        args = [self._plain(a, names) for a in e.args]
        if isinstance(e, Mask) and not e.atoms(Axis):
            return sp.Piecewise((args[0], args[1]), (0, True))
        return e.func(*args)


def _unused(name, taken):
    k, new = 0, name
    while new in taken:
        k += 1
        new = f"{name}{k}"
    return new


def in_event_index(c, event, shape):
    """The contribution as an expression in the event's indices, with the conditions that are not always true."""
    seed, conditions, solved = c.seed, [], {}
    ranges = {axis: (low, high) for axis, low, high in c.limits}
    for index, target, length in zip(event, c.target, shape, strict=True):
        target = target.xreplace(solved)
        axis, inverse, fits = _inverse(index, target, ranges, solved)
        if axis is None:
            conditions.append(sp.Eq(index, target))
            continue
        solved[axis] = inverse
        low, high = ranges[axis]
        if fits is not None:
            conditions.append(fits)
        if isinstance(target, sp.Mod):
            continue
        slope = sp.expand(target).coeff(axis, 1)
        ends = [sp.expand(target.xreplace({axis: end})) for end in ((low, high) if slope > 0 else (high, low))]
        if ends[0] != 0:
            conditions.append(sp.Ge(index, ends[0]))
        if sp.expand(ends[1] - length + 1) != 0 and sp.expand(length - ends[1]) not in range(1, abs(int(slope)) + 1):
            conditions.append(sp.Le(index, ends[1]))
    rest = [sp.Tuple(axis, low, high) for axis, low, high in c.limits if axis not in solved]
    inside = {sp.Mod(index, length): index for index, length in zip(event, shape, strict=True)}
    term, where = seed.xreplace(solved).xreplace(inside), sp.And(*(q.xreplace(solved) for q in conditions))
    return sp.Sum(Mask(term, where), *rest) if rest else sp.Piecewise((term, where), (0, True))


def _inverse(index, target, ranges, solved):
    """The axis that the target determines, its value, and the condition that the value is whole."""
    if isinstance(target, sp.Mod):
        shift, size = target.args
        (axis,) = [a for a in ranges if a in shift.free_symbols] or [None]
        if axis is not None and ranges[axis] == (0, size - 1) and sp.expand(shift - axis).is_number:
            return axis, sp.Mod(index - (shift - axis), size), None
        return None, None, None
    target = sp.expand(target)
    for axis in sorted(
        (a for a in ranges if a in target.free_symbols and a not in solved), key=lambda a: a.dummy_index
    ):
        slope = target.coeff(axis, 1)
        rest = sp.expand(target - slope * axis)
        if slope.is_Integer and slope != 0 and axis not in rest.free_symbols:
            if abs(slope) == 1:
                return axis, sp.expand((index - rest) / slope), None
            return axis, (index - rest) / slope, sp.Eq(sp.Mod(index - rest, abs(slope)), 0)
    return None, None, None
