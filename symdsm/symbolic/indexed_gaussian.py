"""What a coupled density tells without an integral: is it Gaussian, and how its normaliser depends on a scale.

If log f(y) = g((y - m)/s) + h(s) for a centre m free of y and s, then with u = (y - m)/s

    log Z = log integral f dy = n log s + h(s) + constant,        d log Z / ds = n/s + h'(s),

n the number of coordinates. The rule is exact for unnormalised and for normalised densities alike (for these it
gives zero). The centre is the clean array, zero, or what is subtracted from y[i] somewhere in the density.
"""

from functools import lru_cache

import mpmath
import numpy as np
import sympy as sp

from symdsm.symbolic.indexed_adjoint import adjoint
from symdsm.symbolic.indexed_nodes import Axis, Mask, Solve, axes_of

__all__ = [
    "centre",
    "cleared",
    "fisher_trace",
    "gaussian_integral",
    "is_quadratic",
    "log_normaliser_derivative",
    "met",
    "substitute",
]


def is_quadratic(d) -> bool:
    """Is the log density a quadratic form in y: without functions of y, its second derivative free of y?

    Without functions: |y| has a second derivative free of y as well, almost everywhere.
    """
    if any(_holds(f, d.noisy) for f in d.expr.atoms(sp.Function, sp.Piecewise, sp.Max, sp.Min, Mask)):
        return False
    found = False
    for first in d.score:
        for second in adjoint(first.seed, d.noisy):
            found = True
            if _holds(second.seed, d.noisy):
                if not _is_polynomial(second.seed, d.noisy) or _holds(sp.expand(second.seed), d.noisy):
                    return False
    return found


def _is_polynomial(e, base):
    if not e.args or isinstance(e, sp.Indexed) or not _holds(e, base):
        return True
    whole = isinstance(e, (sp.Add, sp.Mul, sp.Sum, Solve)) or (e.is_Pow and e.exp.is_Integer and e.exp > 0)
    return whole and all(_is_polynomial(a, base) for a in e.args)


def fisher_trace(d):
    """The trace of -d^2 log p / dy dy' = E[score score'] of a Gaussian, in the symbols of d.expr; else None."""
    if not is_quadratic(d):
        return None
    trace = sp.S.Zero
    for first in adjoint(d.expr, d.noisy):
        fresh = {limit[0]: Axis(limit[0].name) for limit in first.limits}
        limits = tuple(sp.Tuple(*limit).xreplace(fresh) for limit in first.limits)
        for second in adjoint(first.seed.xreplace(fresh), d.noisy):
            trace -= _diagonal(second, [t.xreplace(fresh) for t in first.target], limits, d.noisy)
    return trace


def _diagonal(second, target, limits, base):
    """The sum of a second derivative over the places where its two targets meet."""
    same, condition = {}, sp.true
    ranges = {axis: (low, high) for axis, low, high in (*limits, *second.limits)}
    for a, b in zip(target, second.target, strict=True):
        a, b = a.xreplace(same), b.xreplace(same)
        if a != b and b in ranges and ranges.get(a) == ranges[b]:
            same[b] = a
        else:
            condition = sp.And(condition, sp.Eq(a, b))
    seed = sp.expand(second.seed) if _holds(second.seed, base) else second.seed
    kept = [limit for limit in (*limits, *second.limits) if limit[0] not in same]
    weight = Mask(seed.xreplace(same), condition)
    return sp.Sum(weight, *kept) if kept else weight


def met(trace: sp.Expr) -> sp.Expr:
    """Sums masked by an equality of two indices of one range, without the second index; constant ones counted."""

    def meet(total):
        body, limits = total.function, list(total.limits)
        if isinstance(body, Mask) and isinstance(body.args[1], sp.Eq):
            ranges = {axis: (low, high) for axis, low, high in limits}
            a, b = body.args[1].args
            if ranges.get(a) is not None and ranges.get(a) == ranges.get(b):
                body, limits = body.args[0].xreplace({b: a}), [limit for limit in limits if limit[0] != b]
        if body == 0:
            return body
        scale, body = body.as_independent(*[limit[0] for limit in limits], as_Add=False)
        counts = [high - low + 1 for _, low, high in limits]
        return scale * (sp.Mul(*counts) if body == 1 else sp.Sum(body, *limits))

    return sp.factor_terms(trace.replace(lambda e: isinstance(e, sp.Sum), meet))


def log_normaliser_derivative(d, symbol, about_zero: bool = False):
    """d log Z / ds of the scale rule, in the symbols of d.expr; None when s is not a scale.

    With `about_zero` the centre must be zero.
    """
    s = d.own(symbol)
    scaled = sp.IndexedBase("u", real=True)
    for centre in [_zero] if about_zero else _centres(d):
        moved = substitute(d.expr, d.noisy, lambda index, c=centre: c(index) + s * scaled[index])
        slope = sp.Add(*(sp.Sum(c.seed, *c.limits) if c.limits else c.seed for c in adjoint(cleared(moved), s)))
        rest = cleared(sp.expand(slope))
        if not _holds(rest, scaled):
            count = sp.Mul(*d.shapes[d.noisy])
            return sp.expand(count / s + rest)
    return None


def centre(d):
    """(m, log density of u = y - m) with m a function of the index and the law of u free of x; None when none is seen.

    The law of u is written in the noisy array's own letter.
    """
    u = sp.IndexedBase("u", real=True)
    for candidate in _centres(d):
        moved = substitute(d.expr, d.noisy, lambda index, c=candidate: c(index) + u[index])
        moved = cleared(moved)
        if d.clean not in moved.free_symbols and not _holds(moved, d.clean):
            return candidate, substitute(moved, u, lambda index: d.noisy[index])
    return None


def gaussian_integral(log_density, dimension: int):
    """log Z, Z the integral of exp(log_density(t)) over t in R^dimension, and H, for a quadratic log density.

    Differences of a quadratic are exact: the slope at 0 and the curvature H are read from its values at 0, the unit
    points and their sums, and log Z = f(0) + b' H^{-1} b / 2 + (dimension/2) log(2 pi) - log det H / 2. None when H
    is not positive definite.
    """
    unit = np.array([[mpmath.mpf(int(a == b)) for b in range(dimension)] for a in range(dimension)], dtype=object)
    middle, up, down = log_density(0 * unit[0]), [log_density(e) for e in unit], [log_density(-e) for e in unit]
    slope = mpmath.matrix([(a - b) / 2 for a, b in zip(up, down, strict=True)])
    curvature = mpmath.matrix(dimension, dimension)
    for a in range(dimension):
        curvature[a, a] = 2 * middle - up[a] - down[a]
        for b in range(a):
            curvature[a, b] = curvature[b, a] = up[a] + up[b] - middle - log_density(unit[a] + unit[b])
    try:
        factor = mpmath.cholesky(curvature)
    except (ValueError, ZeroDivisionError):
        return None
    solved = mpmath.lu_solve(curvature, slope)
    log_det = 2 * mpmath.fsum(mpmath.log(factor[k, k]) for k in range(dimension))
    mass = middle + mpmath.fdot(slope, solved) / 2 + dimension * mpmath.log(2 * mpmath.pi) / 2 - log_det / 2
    return mass, curvature


def _holds(e, base):
    return any(entry.base == base for entry in e.atoms(sp.Indexed))


def _zero(index):
    return sp.S.Zero


def _centres(d):
    if isinstance(d.clean, sp.IndexedBase):
        if len(d.shapes.get(d.clean, ())) == d.event_ndim:
            yield lambda index: d.clean[index]
    else:
        yield lambda index: d.clean
    yield _zero
    for add in sorted(d.expr.atoms(sp.Add), key=sp.default_sort_key):
        entries = [t for t in add.args if isinstance(t, sp.Indexed) and t.base == d.noisy]
        if len(entries) != 1 or not all(isinstance(i, Axis) for i in entries[0].indices):
            continue
        rest = entries[0] - add
        if not _holds(rest, d.noisy) and axes_of(rest) <= set(entries[0].indices):
            yield lambda index, r=rest, own=entries[0].indices: r.xreplace(dict(zip(own, index, strict=True)))


def substitute(e, base, value):
    """e with value(index) in place of each entry of the base."""
    if isinstance(e, sp.Indexed):
        return value(e.indices) if e.base == base else e
    if not e.args or not _holds(e, base):
        return e
    return e.func(*(substitute(a, base, value) for a in e.args))


@lru_cache(maxsize=1024)
def _letter(depth, position, low, high):
    """The bound index of every sum of this depth and range."""
    return Axis("i")


def _depth(e) -> int:
    return max((1 + _depth(inner.function) for inner in e.atoms(sp.Sum)), default=0)


def cleared(e):
    """e with each summand expanded, constant factors in front of the sums, and equal sums in the same letters, so that
    what cancels does."""
    if isinstance(e, sp.Sum):
        body = sp.factor_terms(cleared(e.function))
        limits = [(_letter(_depth(body), k, low, high), low, high) for k, (_, low, high) in enumerate(e.limits)]
        names = {old[0]: new[0] for old, new in zip(e.limits, limits, strict=True)}
        factor, body = body.xreplace(names).as_independent(*names.values(), as_Add=False)
        return sp.S.Zero if factor == 0 else factor * sp.Sum(body, *limits)
    if not e.args or not e.has(sp.Sum, sp.Indexed):
        return e
    rebuilt = e.func(*(cleared(a) for a in e.args))
    return sp.factor_terms(sp.expand(rebuilt)) if rebuilt.is_Add or rebuilt.is_Mul else rebuilt
