r"""The mass of an elliptical coupled density, by one radial integral at any size.

A density that depends on the event y (N entries) through one quadratic form only,

    log f(y) = g(q(y)),        q(y) = c + (y - m)' A (y - m),        A positive definite,

as multivariate t and Laplace densities do, has with u = A^(1/2) (y - m) and r = |u|

    Z = 2 pi^(N/2) / (Gamma(N/2) sqrt(det A))  integral of r^(N-1) exp g(c + r^2) over r > 0.

The form is recognised in the expression: every place where y stands holds the same quadratic sum. c, m and A are read
from differences of its values. Source: Fang, Kotz and Ng, Symmetric Multivariate and Related Distributions (1990), 2.2.
"""

from dataclasses import dataclass, replace

import mpmath
import numpy as np
import sympy as sp

from symdsm.symbolic.indexed_gaussian import gaussian_integral, is_quadratic
from symdsm.symbolic.indexed_nodes import LogDet, LogSumExp, Mask, Solve
from symdsm.symbolic.indexed_numbers import example, number

__all__ = ["Elliptical", "elliptical", "radial_mass"]

_STEP, _NODES, _NEGLIGIBLE, _ROUNDING = 0.11, 34, 1e-18, 1e-11
_BINDERS = (sp.Sum, sp.Product, LogSumExp, LogDet, Solve, Mask, sp.Piecewise)


@dataclass(frozen=True)
class Elliptical:
    """log f = profile, an expression in `variable`, which stands for the quadratic sum `form` in y."""

    profile: sp.Expr
    variable: sp.Symbol
    form: sp.Expr


def elliptical(d) -> Elliptical | None:
    """The profile and the form of an elliptical density; None for another one."""
    places = _quadratics(d.expr, d)
    if not places or len({_lettered(form) for form in places}) != 1:
        return None
    variable = sp.Dummy("q", real=True)
    profile = d.expr.xreplace(dict.fromkeys(places, variable))
    return None if _holds(profile, d) else Elliptical(profile, variable, next(iter(places)))


def _lettered(form):
    """The same sum with its bound indices called by their place."""
    if not isinstance(form, sp.Sum):
        return form
    return form.xreplace({limit[0]: sp.Symbol(f"_{k}", integer=True) for k, limit in enumerate(form.limits)})


def _quadratics(e, d) -> set | None:
    """The quadratic sums in which all of y stands; None where y stands elsewhere."""
    if not _holds(e, d):
        return set()
    core = _core(e, d)
    if is_quadratic(replace(d, expr=core)):
        return {core}
    if isinstance(core, (*_BINDERS, sp.Indexed)):
        return None
    found = [_quadratics(a, d) for a in core.args]
    return None if None in found else set().union(*found)


def _core(e, d):
    """e without the terms and the factors that y is not in."""
    while e.is_Add or e.is_Mul:
        inner = [a for a in e.args if _holds(a, d)]
        if len(inner) != 1:
            return e
        (e,) = inner
    return e


def _holds(e, d) -> bool:
    return any(entry.base == d.noisy for entry in e.atoms(sp.Indexed))


def radial_mass(d, found: Elliptical, seed: int, size: int):
    """log Z at the random arrays of an example; None where the form is not positive definite."""
    scalars, arrays = example(d, seed, size)
    label, shape = str(d.noisy.label), tuple(int(number(n, scalars, arrays)) for n in d.shapes[d.noisy])
    count = int(np.prod(shape))

    def half_form(y):
        return -number(found.form, scalars, arrays | {label: np.reshape(y, shape)}) / 2

    gaussian = gaussian_integral(half_form, count)
    if gaussian is None:
        return None
    mass, matrix = gaussian
    log_det = mpmath.log(mpmath.det(matrix))
    least = count * mpmath.log(2 * mpmath.pi) - log_det - 2 * mass
    if abs(least) < _ROUNDING * (1 + abs(mass)):
        least = mpmath.mpf(0)

    fixed, own = found.profile.as_independent(found.variable, as_Add=True)

    def term(t):
        radius = mpmath.exp(mpmath.pi / 2 * mpmath.sinh(t))
        log_f = number(own, scalars | {found.variable: least + radius**2}, arrays)
        return _STEP * mpmath.pi / 2 * mpmath.cosh(t) * radius**count * mpmath.exp(log_f)

    total = term(0)
    for side in (1, -1):
        for k in range(1, _NODES + 1):
            more = term(side * k * _STEP)
            total += more
            if more < _NEGLIGIBLE * total:
                break
    area = mpmath.log(2) + count * mpmath.log(mpmath.pi) / 2 - mpmath.loggamma(mpmath.mpf(count) / 2)
    return area - log_det / 2 + number(fixed, scalars, arrays) + mpmath.log(total)
