"""Are two declarations the same kernel?

Equal expressions are; so are expressions that SymPy writes differently, when y is a number, the density is the same
number: both log densities, and whether y is inside the support, are compared at random admissible values of clean
value, parameters and y, those of coupled kernels at small random arrays with every sum written out. The names of y and
x carry no meaning, since both are positional, nor do those of bound indices and sizes; names and assumptions of
parameters do, and so does which of them is the level.
"""

import random
from functools import singledispatch

import mpmath
import sympy as sp

from symdsm.symbolic.array_declaration import ArrayDeclaration
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.indexed_numbers import example, number
from symdsm.symbolic.joint import JointDeclaration, joint_points
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
def _(a: JointDeclaration, b: JointDeclaration) -> bool:
    """Both log densities at images of a few noises of `a`, and at their mirror images, which may lie outside."""
    if (len(a.noisy_symbols), len(a.clean_symbols)) != (len(b.noisy_symbols), len(b.clean_symbols)):
        return False
    y, rng = [sp.Dummy("y", real=True) for _ in a.noisy_symbols], random.Random(5)
    clean = dict(zip(b.clean_symbols, a.clean_symbols, strict=True))
    symbols = [*a.clean_symbols, *a.params]
    faces = [_joint_face(d, y, put, [*y, *symbols]) for d, put in ((a, {}), (b, clean))]
    noises = list(a.noise.variables)
    places = [numeric(g, [*noises, *symbols]) for g in a.noise.maps]

    def pairs():
        for point in joint_points(a, 3, seed=12):
            for sign in (1, -1):
                noise = [_inside(s, rng) for s in a.noise.supports]
                at = [sign * mpmath.re(place(*noise, *point.values())) for place in places]
                yield [face(*at, *point.values()) for face in faces]

    return _one_law(pairs())


def _inside(support: sp.Set, rng: random.Random) -> float:
    """A number in the support of a standard variable; an end that is a parameter is taken as one."""
    ends = [1.0 if end.free_symbols else float(end) for end in (support.inf, support.sup)]
    low, high = max(ends[0], -1.7), min(ends[1], 1.7)
    return low + (high - low) * (0.1 + 0.8 * rng.random())


def _joint_face(declaration: JointDeclaration, y, put, args):
    own = {s: v for s, v in zip(declaration.noisy_symbols, y, strict=True)}
    own |= {sp.Symbol(s.name, real=True): v for s, v in own.items()} | put
    return _guarded(declaration.inside.xreplace(own), declaration.log_density.xreplace(own), args)


@_agree.register
def _(a: ArrayDeclaration, b: ArrayDeclaration) -> bool:
    """Both log densities at random arrays of two sizes each, every sum written out; the dummies' names say nothing."""
    if type(a) is not type(b) or (a.support, a.normalised) != (b.support, b.normalised):
        return False
    p, q = a.density, b.density
    if len(p.sizes) != len(q.sizes) or isinstance(p.clean, sp.Symbol) != isinstance(q.clean, sp.Symbol):
        return False
    return all(_same_number(p, q, seed, size) for seed, size in ((3, 2), (4, 4)))


def _same_number(p, q, seed: int, size: int) -> bool:
    """The values of two densities agree at the arrays of an example of the first, read by the second."""
    scalars, arrays = example(p, seed, size)
    roles = {str(q.noisy): str(p.noisy), str(q.clean): str(p.clean)}
    own = {str(base): arrays[roles.get(str(base), str(base))] for base in q.shapes}
    numbers = {s: scalars[p.own(q.restore(s))] for s in q.scalar_params}
    if isinstance(q.clean, sp.Symbol):
        numbers[q.clean] = scalars[p.clean]
    for reading in q.readings:
        length = own[str(reading.base)].shape[reading.axis]
        numbers[reading.size] = (length - number(reading.offset, numbers, {})) / number(reading.stride, numbers, {})
    shapes = {base: tuple(int(number(length, numbers, {})) for length in axes) for base, axes in q.shapes.items()}
    if any(own[str(base)].shape != shape for base, shape in shapes.items() if shape):
        return False
    values = number(p.expr, scalars, arrays), number(q.expr, numbers, own)
    return abs(values[0] - values[1]) <= _TOLERANCE * (1 + abs(values[0]))


@_agree.register
def _(a: Declaration, b: Declaration) -> bool:
    if (a.normalised, a.period) != (b.normalised, b.period):
        return False
    y, symbols = sp.Dummy("y", real=True), [a.clean, *a.params]
    points = probes(a, 3, seed=12)
    faces = [_face(d, y, {d.noisy: y, _probe(d): y, d.clean: a.clean}, [y, *symbols]) for d in (a, b)]
    anchor = numeric(a.anchor if a.anchor is not None else sp.S.One, symbols)

    def pairs():
        for point in points:
            start = mpmath.re(anchor(*point.values()))
            for step in _STEPS:
                yield [face(start + step, *point.values()) for face in faces]

    return _one_law(pairs())


def _one_law(pairs) -> bool:
    """Pairs of log densities, None outside a support: equal everywhere, and compared at least once."""
    compared = 0
    for first, second in pairs:
        if (first is None) != (second is None):
            return False
        if first is not None:
            compared += 1
            if abs(first - second) > _TOLERANCE * (1 + abs(first)):
                return False
    return compared > 0


def _probe(declaration) -> sp.Symbol:
    return sp.Symbol(declaration.noisy.name, real=True)


def _face(declaration, y, put, args):
    return _guarded(declaration.inside.xreplace(put), declaration.log_density.xreplace(put), args)


def _guarded(inside, log_density, args):
    """The log density as a function of numbers, None outside the support."""
    inside, density = numeric(inside, args), numeric(log_density, args)

    def value(*numbers):
        try:
            return mpmath.mpmathify(density(*numbers)) if bool(inside(*numbers)) else None
        except (ArithmeticError, ValueError, TypeError):
            return None

    return value
