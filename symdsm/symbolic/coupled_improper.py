r"""Coupled densities that integrate to infinity whatever the parameters are.

exp l(y) over y in R^N has no finite integral where (and for the first over any unbounded range of the entries)

    bounded     l is bounded from below
    convex      l is convex: it lies above an affine function, whose exponential has none
    quadratic   l is quadratic in y and v' (d^2 l/dy dy') v >= 0 along some v; tried are the axes (by the trace),
                (1, 1, ..) and (1, -1, 1, ..), with the sizes as symbols, at least two entries along each axis
    separable   l = sum_i h(y_i - c_i), and h does not fall to -oo at both ends: the integral is a product

Only signs that follow from the assumptions count, so that no density is refused for a parameter that would make it
one. Source: Rockafellar, Convex Analysis (1970), theorem 18.8, for the affine minorant.
"""

import sympy as sp

from symdsm.symbolic.growth import growth
from symdsm.symbolic.growth_univariate import ends
from symdsm.symbolic.indexed_gaussian import fisher_trace, met, substitute
from symdsm.symbolic.indexed_nodes import Solve

__all__ = ["why_infinite"]


def why_infinite(d, is_whole: bool = True) -> str | None:
    """Why the density integrates to infinity; None where this is not so, or not known."""
    whole = growth(d.expr, d.noisy)
    if whole.below and whole.continuous:
        return "it is bounded from below, so that it does not fall to zero at infinity"
    if not is_whole:
        return None
    if whole.convex:
        return "its logarithm is convex, so that it grows at infinity"
    if d.expr.has(Solve):
        return None
    trace = fisher_trace(d)
    if trace is not None:
        return _along_a_line(d, trace)
    return _at_an_end(d)


def _along_a_line(d, trace) -> str | None:
    t = sp.Dummy("t", real=True)
    more = {size: 2 + sp.Dummy(size.name, integer=True, nonnegative=True) for size in d.sizes}
    lines = {"(1, 1, ..)": lambda index: t, "(1, -1, 1, ..)": lambda index: t * sp.S.NegativeOne ** sp.Add(*index)}
    curved = {f"along {name}": sp.diff(substitute(d.expr, d.noisy, v), t, 2) for name, v in lines.items()}
    for where, value in {"along some axis": -met(trace), **curved}.items():
        settled = sp.factor_terms(sp.expand(value.doit().xreplace(more)))
        if settled.is_nonnegative:
            return f"its quadratic form does not fall {where}"
    return None


def _at_an_end(d) -> str | None:
    """h of l = c + sum_i h(y_i - c_i), one summand for each entry of the event."""
    sums = [s for s in d.expr.atoms(sp.Sum) if any(e.base == d.noisy for e in s.atoms(sp.Indexed))]
    if len(sums) != 1:
        return None
    scale, total = d.expr.as_independent(*sums, as_Add=True)[1].as_independent(*sums, as_Add=False)
    entries = {e.indices for e in d.expr.atoms(sp.Indexed) if e.base == d.noisy}
    if total != sums[0] or entries != {tuple(limit[0] for limit in total.limits)}:
        return None
    falls = [end is None or end == -sp.oo or end.has(sp.sign) for end in ends(scale * total.function, d.noisy)]
    return None if all(falls) else "it does not fall to zero where one entry goes to infinity"
