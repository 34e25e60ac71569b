"""Are two declarations the same kernel?

Equal expressions are; so are expressions that SymPy writes differently, when y is a number, the density is the same
number: both log densities, and whether y is inside the support, are compared at random admissible values of clean
value, parameters and y. The names of y and x carry no meaning, since both are positional; names and assumptions of
parameters do, and so does which of them is the level.
"""

import random
from functools import singledispatch

import mpmath
import sympy as sp

from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.probe import numeric, probes, value_for
from symdsm.symbolic.product import ProductDeclaration
from symdsm.symbolic.vector import VectorDeclaration

__all__ = ["outline", "same"]

_TOLERANCE = mpmath.mpf("1e-11")
_STEPS = (-1.7, -0.4, 0.3, 0.9, 2.6)


def outline(declaration) -> tuple:
    """What equal kernels share at no cost: a hash key."""
    return type(declaration).__name__, declaration.params, declaration.level, declaration.event_ndim


def same(a, b) -> bool:
    return a == b or (outline(a) == outline(b) and _agree(a, b))


@singledispatch
def _agree(a, b) -> bool:
    return False


@_agree.register
def _(a: ProductDeclaration, b: ProductDeclaration) -> bool:
    pairs = zip(a.blocks, b.blocks, strict=False)
    return len(a.blocks) == len(b.blocks) and all(m == n and same(p, q) for (m, p), (n, q) in pairs)


@_agree.register
def _(a: VectorDeclaration, b: VectorDeclaration) -> bool:
    p, q = a.transition, b.transition
    if len(p.clean) != len(q.clean) or p.mean.shape != q.mean.shape:
        return False
    put = dict(zip(q.clean, p.clean, strict=True))
    entries = [*(p.mean - q.mean.xreplace(put)), *(p.covariance - q.covariance.xreplace(put))]
    symbols, rng = [*p.clean, *a.params], random.Random(3)
    point = [value_for(s, rng) for s in symbols]
    return all(abs(numeric(e, symbols)(*point)) < _TOLERANCE for e in entries)


@_agree.register
def _(a: Declaration, b: Declaration) -> bool:
    if (a.normalised, a.period) != (b.normalised, b.period):
        return False
    y, symbols = sp.Dummy("y", real=True), [a.clean, *a.params]
    points = probes(a, 3, seed=12)
    faces = [_face(d, y, {d.noisy: y, _probe(d): y, d.clean: a.clean}, [y, *symbols]) for d in (a, b)]
    anchor = numeric(a.anchor if a.anchor is not None else sp.S.One, symbols)
    compared = 0
    for point in points:
        start = mpmath.re(anchor(*point.values()))
        for step in _STEPS:
            values = [face(start + step, *point.values()) for face in faces]
            if (values[0] is None) != (values[1] is None):
                return False
            if values[0] is not None:
                compared += 1
                if abs(values[0] - values[1]) > _TOLERANCE * (1 + abs(values[0])):
                    return False
    return compared > 0


def _probe(declaration) -> sp.Symbol:
    return sp.Symbol(declaration.noisy.name, real=True)


def _face(declaration, y, put, args):
    """The log density as a function of numbers, None outside the support."""
    inside = numeric(declaration.inside.xreplace(put), args)
    density = numeric(declaration.log_density.xreplace(put), args)

    def value(*numbers):
        try:
            return mpmath.mpmathify(density(*numbers)) if bool(inside(*numbers)) else None
        except (ArithmeticError, ValueError, TypeError):
            return None

    return value
