"""Where an expression kinks or jumps: zeros of what stands in Abs, sign and Max, borders of pieces.

An |a| inside such an argument is opened both ways, |a| -> a and |a| -> -a; every place so found is a candidate, and
what happens there is for the caller to see.
"""

import sympy as sp

from symdsm.symbolic.nodes import AbsPower, LogAbs

__all__ = ["kinks"]


def kinks(expr: sp.Expr, variable: sp.Symbol) -> set[sp.Expr]:
    """Candidates for the values of `variable` at which expr is not smooth, as expressions in the other symbols."""
    places = set()
    for atom in expr.atoms(sp.Abs, sp.sign, LogAbs, AbsPower, sp.Max, sp.Min):
        many = isinstance(atom, (sp.Max, sp.Min))
        arguments = [atom.args[0] - a for a in atom.args[1:]] if many else atom.args[:1]
        places |= {r for a in arguments for r in _roots(a, variable)}
    for piecewise in expr.atoms(sp.Piecewise):
        for _, condition in piecewise.args:
            relations = condition.atoms(sp.core.relational.Relational)
            places |= {r for c in relations for r in _roots(c.lhs - c.rhs, variable)}
    return places


def _roots(a: sp.Expr, variable: sp.Symbol) -> list[sp.Expr]:
    """The roots of a polynomial of low degree in the variable, or in the logarithm of it."""
    if variable not in a.free_symbols:
        return []
    inner = next((b for b in a.atoms(sp.Abs) if variable in b.free_symbols), None)
    if inner is not None:
        return [r for sign in (1, -1) for r in _roots(a.xreplace({inner: sign * inner.args[0]}), variable)]
    try:
        polynomial = sp.Poly(sp.fraction(sp.together(a))[0], variable)
        return list(sp.roots(polynomial)) if polynomial.degree() <= 2 else []
    except (sp.PolynomialError, NotImplementedError):
        root = sp.Wild("root", exclude=[variable])
        found = a.match(sp.log(variable) - root)
        return [sp.exp(found[root])] if found else []
