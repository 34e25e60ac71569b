"""Conditions in their shortest form: a Boolean of bounds and values of single symbols.

A conjunction keeps the tightest bounds of each symbol and is dropped where they contradict each other, as in
a > 1 and a = 1; a disjunction drops what another part implies. Other relations are kept as they stand. (SymPy's own
simplification takes 0.3 s on a single Or.)
"""

import sympy as sp

__all__ = ["tidy_boolean"]

_BOUNDS = (sp.Gt, sp.Ge, sp.Lt, sp.Le)


def tidy_boolean(condition: sp.Basic) -> sp.Basic:
    """The condition as an Or of Ands without implied or contradictory parts."""
    if not isinstance(condition, (sp.And, sp.Or)):
        return condition
    cases = [_conjunction(sp.And.make_args(part)) for part in sp.Or.make_args(sp.to_dnf(condition))]
    cases = list(dict.fromkeys(case for case in cases if case is not None))
    kept = _without_implied(cases, _implies)
    return sp.Or(*[sp.And(*case) for case in kept])


def _without_implied(parts, implies) -> list:
    """The parts that imply no other part; of two that imply each other the first."""

    def covered(k, part):
        return any(implies(part, o) and not (implies(o, part) and j > k) for j, o in enumerate(parts) if j != k)

    return [part for k, part in enumerate(parts) if not covered(k, part)]


def _conjunction(parts) -> frozenset | None:
    """The parts without those that others imply; None where two exclude each other."""
    parts = list(dict.fromkeys(parts))
    if any(_excludes(a, b) for a in parts for b in parts if a != b):
        return None
    return frozenset(_without_implied(parts, lambda a, b: _entails(b, a)))


def _implies(case, other) -> bool:
    """Every part of `other` follows from a part of `case`."""
    return all(any(a == b or _entails(a, b) for a in case) for b in other)


def _same_symbol(a, b):
    return isinstance(a, sp.core.relational.Relational) and isinstance(b, sp.core.relational.Relational) \
        and a.lhs == b.lhs and a.lhs.is_Symbol  # fmt: skip


def _entails(a, b) -> bool:
    """a => b, for relations of one symbol to something."""
    if a == b:
        return True
    if not _same_symbol(a, b):
        return False
    gap = sp.expand(a.rhs - b.rhs)
    if isinstance(a, sp.Eq):
        return isinstance(b, _BOUNDS) and b.func(gap, 0) == sp.true
    if isinstance(a, (sp.Gt, sp.Ge)) and isinstance(b, (sp.Gt, sp.Ge)):
        strict = isinstance(b, sp.Gt) and isinstance(a, sp.Ge)
        return bool(gap.is_positive) if strict else bool(gap.is_nonnegative)
    if isinstance(a, (sp.Lt, sp.Le)) and isinstance(b, (sp.Lt, sp.Le)):
        strict = isinstance(b, sp.Lt) and isinstance(a, sp.Le)
        return bool(gap.is_negative) if strict else bool(gap.is_nonpositive)
    return False


def _excludes(a, b) -> bool:
    """a and b cannot both hold."""
    if not _same_symbol(a, b):
        return False
    gap = sp.expand(a.rhs - b.rhs)
    if isinstance(a, sp.Eq):
        return bool(gap.is_nonzero) if isinstance(b, sp.Eq) else isinstance(b, _BOUNDS) and b.func(gap, 0) == sp.false
    if isinstance(a, (sp.Gt, sp.Ge)) and isinstance(b, (sp.Lt, sp.Le)):
        both = isinstance(a, sp.Ge) and isinstance(b, sp.Le)
        return bool(gap.is_positive) if both else bool(gap.is_nonnegative)
    return False
