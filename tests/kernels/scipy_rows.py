"""SciPy's closed-form continuous laws as location kernels y = x + s z or scale kernels y = x z.

Each log density is written once, as a user would write it, for both backends of tests.kernels.backends:
SymPy reads it into `Kernel.from_density`, mpmath into the oracle. test_scipy_formulas.py holds every formula
against scipy.stats.
"""

from types import SimpleNamespace

import scipy.stats as st
import sympy as sp
from mpmath import mp

import symdsm as sd
from tests.kernels.backends import MPMATH, SYMPY
from tests.kernels.case import Case
from tests.oracles.laws import affine

LINE = (-1.3, 0.4, 7.5)
HALF_LINE = (0.3, 1.0, 12.0)


def symbol(name, assumption):
    return sp.Symbol(name, **{assumption: True})


def row(name, form, formula, support=None, large=None, real=(), **shapes):
    """One law: `formula(m, z, p)` on `support(m, p)`, by default the line or the half-line."""
    located = form == "additive"
    if support is None:
        support = (lambda m, p: (-m.oo, m.oo)) if located else (lambda m, p: (m.number(0), m.oo))
    params = shapes | ({"s": 0.7} if located else {})

    def declare():
        p = SimpleNamespace(**{n: symbol(n, "real" if n in real else "positive") for n in params})
        low, high = support(SYMPY, p)
        if located:
            x, y, s = symbol("x", "real"), symbol("y", "real"), p.s
            log_density, edges = formula(SYMPY, (y - x) / s, p) - sp.log(s), (x + s * low, x + s * high)
        else:
            x, y = symbol("x", "positive"), symbol("y", "positive" if high is sp.oo else "real")
            log_density, edges = formula(SYMPY, y / x, p) - sp.log(x), (x * low, x * high)
        return sd.Kernel.from_density(
            log_density,
            noisy=y,
            clean=x,
            support=sp.Interval.open(*edges),
            level=s if located else None,
            log=True,
        )

    def loc_scale(x, p):
        return (x, p["s"]) if located else (0 * x, x)

    def oracle(y, x, p):
        loc, scale = loc_scale(x, p)
        return formula(MPMATH, (y - loc) / scale, SimpleNamespace(**p)) - mp.log(scale)

    def edges(x, p):
        loc, scale = loc_scale(x, p)
        return tuple(loc + scale * z for z in support(MPMATH, SimpleNamespace(**p)))

    def law(x, p):
        return affine(getattr(st, name)(**{n: p[n] for n in shapes}), *loc_scale(x, p))

    return Case(
        name=name,
        group="scipy.stats",
        form=form,
        declare=declare,
        clean=LINE if located else HALF_LINE,
        params=params,
        large=large,
        level="s" if located else None,
        oracle=oracle,
        support=edges,
        law=law,
    )


def log_normal_cdf(m, z):
    return m.log(m.erfc(-z / m.sqrt(2)) / 2)


def log_normal_pdf(m, z):
    return -(z**2) / 2 - m.log(2 * m.pi) / 2


def log_beta(m, a, b):
    return m.loggamma(a) + m.loggamma(b) - m.loggamma(a + b)


def between(low, high):
    """Fixed edges: integers, "oo", or functions of the backend and the parameters."""

    def edge(m, p, value):
        return value(m, p) if callable(value) else m.oo if value == "oo" else m.number(value)

    return lambda m, p: (edge(m, p, low), edge(m, p, high))


UNIT = between(0, 1)
FROM_ONE = between(1, "oo")
HALF_TURN = between(lambda m, p: -m.pi, lambda m, p: m.pi)
