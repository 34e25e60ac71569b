r"""A kernel of a few noisy coordinates with randomness of their own:  y = g(x, e),  e = (e_1, .., e_n).

    log p(y | x) = log f(e(y)) + log |det de/dy|                     (symbolic/joint_solve.py)
    score        = d/dy log p, a vector;      in the noise: J' s = dL/de,   L = log f(e) - log |det J|,   J = dy/de
    level score  = d/dlevel log p;            in the noise: L_level - (g_level)' s

The noisy value has its n components on the last axis; the clean value has its k on the last axis when k > 1 and is
elementwise when k = 1. Source: Casella and Berger, Statistical Inference (2002), section 4.6.
"""

import random
from dataclasses import dataclass, field

import mpmath
import sympy as sp

from symdsm.symbolic.declaration import parameters
from symdsm.symbolic.derive import derivative, level_score, require_level_score, score
from symdsm.symbolic.joint_laws import JointLaw
from symdsm.symbolic.joint_solve import Step, backwards
from symdsm.symbolic.probe import numeric, value_for

__all__ = ["JointDeclaration", "JointNoise", "joint_points", "joint_targets"]


@dataclass(frozen=True)
class JointNoise:
    """y = maps(x, e): the variables e, their joint log density, supports and draws, and the paths from y to e.

    `sources` are the independent random vectors V behind e, and `rows` the coordinates y written in the symbols
    `values`, one for each component of each V.
    """

    variables: tuple[sp.Symbol, ...]
    maps: tuple[sp.Expr, ...]
    log_density: sp.Expr
    supports: tuple[sp.Set, ...]
    draws: tuple[sp.Expr | None, ...]
    paths: tuple[tuple[Step, ...], ...]
    sources: tuple[JointLaw, ...]
    values: tuple[tuple[sp.Symbol, ...], ...]
    rows: tuple[sp.Expr, ...]

    @property
    def one_to_one(self) -> bool:
        return len(self.paths) == 1


@dataclass(frozen=True)
class JointDeclaration:
    """The kernel of `Kernel.from_random` with a column of coordinates, or with a joint distribution."""

    noisy_symbols: tuple[sp.Symbol, ...]
    clean_symbols: tuple[sp.Symbol, ...]
    log_density: sp.Expr
    inside: sp.Basic
    anchor: tuple[sp.Expr, ...]
    noise: JointNoise
    level: sp.Symbol | None
    source: tuple = field(default=(), compare=False)

    normalised = True
    event_ndim = 1

    @property
    def noisy(self) -> sp.MatrixBase:
        return sp.ImmutableDenseMatrix(self.noisy_symbols)

    @property
    def clean(self) -> sp.MatrixBase | sp.Symbol:
        symbols = self.clean_symbols
        return symbols[0] if len(symbols) == 1 else sp.ImmutableDenseMatrix(symbols)

    @property
    def support(self) -> sp.Set:
        whole = sp.ProductSet(*[sp.S.Reals] * len(self.noisy_symbols))
        real = sp.Tuple(*[sp.Symbol(s.name, real=True) for s in self.noisy_symbols])
        return whole if self.inside is sp.true else sp.ConditionSet(real, self.inside, whole)

    @property
    def params(self) -> tuple[sp.Symbol, ...]:
        free = self.log_density.free_symbols | self.inside.free_symbols
        free |= set().union(*(g.free_symbols for g in self.noise.maps)) - set(self.noise.variables)
        if self.level is not None:
            free |= {self.level}
        return parameters(free, *self.noisy_symbols, *self.clean_symbols)


@score.register
def _(declaration: JointDeclaration) -> sp.MatrixBase:
    entries = [derivative(declaration.log_density, y) for y in declaration.noisy_symbols]
    return sp.ImmutableDenseMatrix(entries)


@level_score.register
def _(declaration: JointDeclaration) -> sp.Expr:
    require_level_score(declaration)
    return derivative(declaration.log_density, declaration.level)


def joint_targets(declaration: JointDeclaration) -> tuple[list[sp.Expr], sp.Expr | None] | None:
    """(scores, level score) in the noise variables; None when the map is not one to one."""
    noise, level = declaration.noise, declaration.level
    if not noise.one_to_one:
        return None
    (path,) = noise.paths
    log_density = noise.log_density + sp.Add(*[step.log_slope_in_noise for step in path])
    slopes = [derivative(log_density, e) for e in noise.variables]
    scores = backwards(list(path), noise.maps, noise.variables, slopes)
    if level is None:
        return scores, None
    moved = sp.Add(*[derivative(g, level) * s for g, s in zip(noise.maps, scores, strict=True)])
    return scores, derivative(log_density, level) - moved


def joint_points(declaration: JointDeclaration, count: int, seed: int, tries: int = 120) -> list[dict]:
    """Values of the clean symbols and the parameters at which the log density at the anchor is a real number."""
    rng, found = random.Random(seed), []
    symbols = [*declaration.clean_symbols, *declaration.params]
    noisy = {sp.Symbol(y.name, real=True) for y in declaration.noisy_symbols} | set(declaration.noisy_symbols)
    put = {y: declaration.anchor[k] for k, s in enumerate(declaration.noisy_symbols) for y in noisy if y.name == s.name}
    defined, inside = (numeric(e.xreplace(put), symbols) for e in (declaration.log_density, declaration.inside))
    for attempt in range(tries):
        values = {s: value_for(s, rng) for s in symbols}
        if attempt % 2:
            values |= {s: rng.random() for s in declaration.clean_symbols if not s.is_negative}
        if attempt % 4 >= 2:
            values |= {s: rng.random() for s in declaration.params if s.is_positive}
        try:
            number = mpmath.mpmathify(defined(*values.values()))
            if mpmath.im(number) == 0 and mpmath.isfinite(number) and bool(inside(*values.values())):
                found.append(values)
        except (ArithmeticError, ValueError, TypeError, mpmath.libmp.NoConvergence):
            continue
        if len(found) == count:
            break
    return found
