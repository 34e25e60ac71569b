r"""The diffusion whose law at each level is the kernel's, and its bridge back to an earlier level.

Let y = g(x, e; l) be the declared noise and l the level. With x and e held, the noisy value moves at the speed
w = dg/dl as the level grows, so that q, the density of the noisy data, obeys dq/dl = -(V q)' with V(y) = E[w | y].
Suppose

    w = alpha(y) + beta(y) d/dy log p(y | x),        alpha and beta free of x.        (1)

Where Vincent's identity holds, the mean of (1) given y is, with s = d/dy log q,

    V = alpha + beta s                                      the probability flow, dy/dl = V

and the Ito diffusion dy = f dl + g dw with

    g^2 = -2 beta,    f = alpha - beta'

has the same marginals, since -(f q)' + (g^2 q)''/2 = -(V q)'. Its reverse in time has the drift
f - (g^2)' - g^2 s = alpha + beta' + 2 beta s (Anderson 1982). Where the noise falls as the level's symbol grows, g^2 is
negative and the diffusion runs down the symbol: the code of symdsm/inference reads levels from least to most noise.

(1) holds for normal noise about a linear mean, beta = -(v' - 2 v a'/a)/2 for N(a x + b, v), whatever coordinate it is
seen in (log-normal noise: beta = -s y^2, a geometric Brownian motion), and for a variance that depends on x as long as
what the level adds does not. It fails for Laplace, Student or gamma noise: their score does not tell E[w | y]. For a
declared SDE f and g are the declaration's own; for a vector SDE f is a column, g a matrix and beta = -g g'/2.

The bridge, for N(a(l) x + b(l), v(l)) with v free of x: given the state y at l, the transition from an earlier level k
is y ~ N(A z + c, W), with A = a(l)/a(k), c = b(l) - A b(k), W = v(l) - A^2 v(k), so that

    z | y, x  ~  N(m + R (y - a(l) x - b(l)),  v(k) W / v(l)),     m = a(k) x + b(k),    R = A v(k) / v(l)

(a normal prior N(m, v(k)) and one normal observation). It is the posterior of Ho et al. 2020, equations 6 and 7.

Sources: Anderson, Stochastic Processes and their Applications 12 (1982); Song et al., arXiv 2011.13456 (2021); Ho, Jain
and Abbeel, arXiv 2006.11239 (2020).
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import mpmath
import sympy as sp

from symdsm.errors import DeclarationError, DerivationError
from symdsm.symbolic.budget import OutOfTime, bounded
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.derive import derivative
from symdsm.symbolic.invert import invert
from symdsm.symbolic.nodes import plain
from symdsm.symbolic.probe import numeric, probes
from symdsm.symbolic.vector import VectorDeclaration

__all__ = ["Bridge", "Process", "bridge", "process"]

_SECONDS = 4.0
_FAILURES = (OutOfTime, NotImplementedError, ValueError, TypeError, AttributeError, RecursionError, ZeroDivisionError)


@dataclass(frozen=True)
class Process:
    """d noisy = drift dl + g dw: `drift` is f, `rate` g^2 (negative where noise falls as the level's symbol grows).

    For vector SDEs `drift` is a column and `rate` the matrix g g'; `diffusion` is g itself, in the noisy symbols too.
    """

    noisy: sp.Symbol | sp.MatrixBase
    level: sp.Symbol
    drift: sp.Expr | sp.MatrixBase
    rate: sp.Expr | sp.MatrixBase
    diffusion: sp.Expr | sp.MatrixBase

    def mapped(self, rule: Callable) -> "Process":
        """The same with `rule` applied to each expression."""
        return Process(*(rule(getattr(self, field.name)) for field in fields(self)))

    @property
    def spread(self) -> sp.Expr:
        """(g^2)', zero for linear SDEs."""
        return sp.diff(self.rate, self.noisy)


@dataclass(frozen=True)
class Bridge:
    """z | y, x at the level `before` is Normal(mean, variance)."""

    before: sp.Symbol
    mean: sp.Expr
    variance: sp.Expr


def process(declaration) -> Process:
    """The diffusion of a kernel; raises DerivationError, with the reason, where its score does not determine one."""
    _require_level(declaration)
    if isinstance(declaration, VectorDeclaration):
        law = declaration.transition
        put = dict(zip(law.state, declaration.noisy_symbols, strict=True))
        drift, g = law.drift.subs(put, simultaneous=True), law.diffusion
        return Process(declaration.noisy, declaration.level, drift, sp.ImmutableDenseMatrix(g * g.T), g)
    if not isinstance(declaration, Declaration):
        raise _no_process("a kernel of arrays", "scalar noise, or the SDE of a small vector, has a known diffusion")
    if declaration.transition is not None:
        law = declaration.transition
        drift = law.drift.subs(law.state, declaration.noisy)
        return Process(declaration.noisy, declaration.level, drift, law.diffusion**2, law.diffusion)
    alpha, beta = _split_speed(declaration)
    rate = sp.factor_terms(-2 * beta)
    drift = sp.factor_terms(sp.expand(alpha - sp.diff(beta, declaration.noisy)))
    return Process(declaration.noisy, declaration.level, drift, rate, sp.sqrt(sp.Abs(rate)))


def bridge(declaration) -> Bridge:
    """p(z | y, x) of the state z at an earlier level; raises DerivationError where it is not normal or not known."""
    _require_level(declaration)
    mean, variance = _normal_moments(declaration)
    x, level = declaration.clean, declaration.level
    before = sp.Symbol("before", **level._assumptions_orig)
    a, b = sp.diff(mean, x), mean.subs(x, 0)
    earlier = {level: before}
    share = sp.powsimp(sp.simplify(a / a.subs(earlier)))
    waited = variance - share**2 * variance.subs(earlier)
    pull = share * variance.subs(earlier) / variance
    centre = a.subs(earlier) * x + b.subs(earlier)
    kept = sp.factor_terms(variance.subs(earlier) * waited / variance)
    return Bridge(before, centre + pull * (declaration.noisy - mean), kept)


def _normal_moments(declaration) -> tuple[sp.Expr, sp.Expr]:
    noise = getattr(declaration, "noise", None)
    x = declaration.clean
    normal = noise is not None and sp.expand(noise.log_density + noise.variable**2 / 2).is_number
    if normal and isinstance(x, sp.Symbol):
        e = noise.variable
        scale, mean = sp.diff(noise.map, e), noise.map.subs(e, 0)
        slope = sp.diff(mean, x)
        if not (scale.free_symbols & {x, e}) and not slope.has(x) and slope != 0:
            return mean, scale**2
    raise DerivationError(
        given=f"a kernel that is not Normal(a x + b, v) with a, b, v functions of {declaration.level}",
        expected="normal noise about a linear mean: its p(x_s | x_t, x_0) is normal and derived",
        fix='use method="probability-flow" where the kernel has one, or "annealed-langevin"',
    )


def _split_speed(declaration) -> tuple[sp.Expr, sp.Expr]:
    """alpha and beta of (1), tried on numbers before they are used."""
    noise, y, x = declaration.noise, declaration.noisy, declaration.clean
    if noise is None or not noise.monotone or declaration.period is not None:
        raise _no_process("a kernel without a declared, one-to-one noise map", "y = g(x, e) with the noise e declared")
    if declaration.level in noise.log_density.free_symbols:
        raise _no_process(
            f"noise e whose own law changes with {declaration.level}", "y = g(x, e) with the level in the map g alone"
        )
    try:
        (branch,) = invert(noise.map, noise.variable, y)
        speed = plain(derivative(noise.map, declaration.level).xreplace({noise.variable: branch.inverse}))
        score = plain(derivative(declaration.log_density, y))
        alpha, beta = bounded(_SECONDS, _regressed, speed, score, x)
    except (*_FAILURES, DeclarationError):
        alpha = beta = None
    if not beta or not _holds(declaration, speed, score, alpha, beta):
        raise _no_process(
            f"noise whose speed d{y}/d{declaration.level} is not determined by the score",
            "normal noise, in any coordinate: there E[speed | y] is a function of the marginal score",
        )
    return alpha, beta


def _regressed(speed, score, x):
    """(alpha, beta) with speed = alpha + beta score, or (None, None)."""
    moved = sp.simplify(sp.diff(score, x))
    if moved == 0:
        return None, None
    beta = sp.simplify(sp.diff(speed, x) / moved)
    if x in beta.free_symbols:
        return None, None
    alpha = sp.simplify(sp.expand(speed - beta * score))
    return (None, None) if x in alpha.free_symbols else (alpha, beta)


def _holds(declaration, speed, score, alpha, beta) -> bool:
    """(1) at random admissible points, with noise of ordinary size."""
    points = probes(declaration, 8, seed=3, tries=96)
    symbols = [declaration.clean, *declaration.params]
    noise, y = declaration.noise, declaration.noisy
    place = numeric(noise.map, [noise.variable, *symbols])
    gap, size = (numeric(e, [y, *symbols]) for e in (speed - alpha - beta * score, speed))
    for k, point in enumerate(points):
        at = mpmath.re(place(mpmath.mpf(k - 3.5) / 3, *point.values()))
        if not abs(gap(at, *point.values())) < mpmath.mpf("1e-10") * (1 + abs(size(at, *point.values()))):
            return False
    return bool(points)


def _require_level(declaration) -> None:
    if declaration.level is None:
        raise DerivationError(
            given="a kernel without a level",
            expected="a kernel declared with level=..., along which the noise grows",
            fix="declare the level",
        )


def _no_process(given: str, expected: str) -> DerivationError:
    return DerivationError(
        given=given,
        expected=expected,
        fix='use method="annealed-langevin", or "walk-back" with a learned p(x | y)',
    )
