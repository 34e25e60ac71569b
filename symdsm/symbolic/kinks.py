"""Where an expression kinks, jumps or has a pole: zeros of what stands in Abs, sign, Max, log or a power, borders of
pieces.

An |a| inside such an argument is opened both ways, |a| -> a and |a| -> -a; every place so found is a candidate, and
what happens there is for the caller to see.
"""

import sympy as sp

from symdsm.symbolic.nodes import AbsPower, LogAbs

__all__ = ["break_candidates", "centres", "kinks"]

_MOST = 8
_TROUBLE = (sp.PolynomialError, NotImplementedError, ValueError)


def break_candidates(expr: sp.Expr, variable: sp.Symbol) -> set[sp.Expr]:
    """The places of `kinks`, whether or not there are more."""
    return kinks(expr, variable)[0]


def kinks(expr: sp.Expr, variable: sp.Symbol) -> tuple[set[sp.Expr], bool]:
    """(values of `variable` at which expr may not be smooth, whether every jump and pole is among them).

    The values are expressions in the other symbols. A zero that is not found is harmless inside |a| (continuous), not
    inside sign, a border or a power.
    """
    places: set = set()
    complete = True
    for argument, harmless in _arguments(expr):
        roots = _roots(argument, variable)
        places |= set(roots or [])
        complete &= harmless or roots is not None
    return places, complete


def _arguments(expr):
    """(argument whose zeros count, whether the function is continuous there)."""
    for atom in expr.atoms(sp.Abs, sp.sign, LogAbs, AbsPower, sp.Max, sp.Min, sp.Heaviside):
        many = isinstance(atom, (sp.Max, sp.Min))
        for a in [atom.args[0] - a for a in atom.args[1:]] if many else atom.args[:1]:
            yield a, not isinstance(atom, (sp.sign, LogAbs, sp.Heaviside))
    for piecewise in expr.atoms(sp.Piecewise):
        for _, condition in piecewise.args:
            for c in condition.atoms(sp.core.relational.Relational):
                yield c.lhs - c.rhs, False
    for atom in expr.atoms(sp.log, sp.Pow):
        if isinstance(atom, sp.log) or not (atom.exp.is_Integer and atom.exp > 0) and atom.base != sp.E:
            base = atom.args[0]
            if base.is_positive is not True:
                yield base, True


def _roots(a: sp.Expr, variable: sp.Symbol) -> list[sp.Expr] | None:
    """The roots of a polynomial of low degree in the variable, in its logarithm, or of a sine or cosine of it."""
    if variable not in a.free_symbols:
        return []
    inner = next((b for b in a.atoms(sp.Abs) if variable in b.free_symbols), None)
    if inner is not None:
        both = [_roots(a.xreplace({inner: sign * inner.args[0]}), variable) for sign in (1, -1)]
        return None if None in both else [r for roots in both for r in roots]
    if isinstance(a, sp.sin | sp.cos):
        shift = 0 if isinstance(a, sp.sin) else sp.pi / 2
        turns = [_roots(a.args[0] - shift - k * sp.pi, variable) for k in (-2, -1, 0, 1, 2)]
        return None if None in turns else [r for roots in turns for r in roots]
    try:
        polynomial = sp.Poly(sp.fraction(sp.together(a))[0], variable)
        if polynomial.degree() > 2 and not polynomial.is_homogeneous:
            return None
        roots = sp.roots(polynomial)
        return [r for r in roots if r.is_real is not False]
    except _TROUBLE:
        root = sp.Wild("root", exclude=[variable])
        found = a.match(sp.log(variable) - root)
        return [sp.exp(found[root])] if found else None


def centres(expr: sp.Expr, variable: sp.Symbol) -> list[sp.Expr]:
    """Where a density of several modes may have one, however narrow: the zeros of its linear and pure quadratic parts.

    None where there is only one such place.
    """
    found = set()
    for part in expr.atoms(sp.Add):
        if variable not in part.free_symbols or not part.is_polynomial(variable):
            continue
        a, b, c = (sp.expand(part).coeff(variable, k) for k in (2, 1, 0))
        if sp.expand(part - a * variable**2 - b * variable - c) != 0:
            continue
        if a == 0:
            found.add(sp.factor_terms(-c / b))
        elif b == 0 and (-c / a).is_positive:
            found |= {sp.sqrt(-c / a), -sp.sqrt(-c / a)}
    return sorted(found, key=sp.default_sort_key)[:_MOST] if len(found) > 1 else []
