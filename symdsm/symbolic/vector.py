"""Gaussian kernels of a small vector state, as linear SDEs make them.

    y | x ~ Normal(m(x, t), S(t)),   y = (y_1, .., y_n) on the last axis

    log p       = -1/2 r' S^-1 r - 1/2 log det S - n/2 log(2 pi),   r = y - m
    score       = -a,                 a = S^-1 r
    E |score|^2 = tr S^-1
    level score = a' m_t + 1/2 a' S_t a - 1/2 tr(S^-1 S_t)          (m_t, S_t: derivatives in the level t)

The clean value gives k of the components: on the last axis when k > 1, elementwise when k = 1. For people the formulas
are written with the adjugate, S^-1 = adj(S)/det S; code uses a Cholesky factor.
Source: Petersen and Pedersen, The Matrix Cookbook (2012), section 8.1.
"""

from dataclasses import dataclass, field

import sympy as sp

from symdsm.symbolic.declaration import parameters
from symdsm.symbolic.derive import level_score, score
from symdsm.symbolic.diffusion import Transition
from symdsm.symbolic.information import Information, derived_information
from symdsm.symbolic.regularity import Finding, Regularity, check_regularity

__all__ = ["VectorDeclaration"]


@dataclass(frozen=True)
class VectorDeclaration:
    """The transition kernel of a vector SDE; `transition` keeps its drift and diffusion."""

    transition: Transition
    noisy_symbols: tuple[sp.Symbol, ...]
    level: sp.Symbol
    source: tuple = field(default=(), compare=False)

    normalised = True
    event_ndim = 1

    @property
    def noisy(self) -> sp.MatrixBase:
        return sp.ImmutableDenseMatrix(self.noisy_symbols)

    @property
    def clean(self) -> sp.MatrixBase | sp.Symbol:
        symbols = self.transition.clean
        return symbols[0] if len(symbols) == 1 else sp.ImmutableDenseMatrix(symbols)

    @property
    def support(self) -> sp.Set:
        return sp.ProductSet(*[sp.S.Reals] * len(self.noisy_symbols))

    @property
    def params(self) -> tuple[sp.Symbol, ...]:
        free = self.transition.mean.free_symbols | self.transition.covariance.free_symbols | {self.level}
        return parameters(free, *self.noisy_symbols, *self.transition.clean)

    @property
    def residual(self) -> sp.MatrixBase:
        return self.noisy - self.transition.mean

    @property
    def log_density(self) -> sp.Expr:
        S, r = self.transition.covariance, self.residual
        n, det = len(self.noisy_symbols), S.det(method="berkowitz")
        return -(r.T * S.adjugate() * r)[0] / (2 * det) - sp.log(det) / 2 - n * sp.log(2 * sp.pi) / 2


@score.register
def _(declaration: VectorDeclaration) -> sp.MatrixBase:
    S = declaration.transition.covariance
    return -(S.adjugate() * declaration.residual) / S.det(method="berkowitz")


@level_score.register
def _(declaration: VectorDeclaration) -> sp.Expr:
    return sp.diff(declaration.log_density, declaration.level)


@derived_information.register
def _(declaration: VectorDeclaration) -> Information:
    """E |score|^2 = tr S^-1;  E level_score^2 = E m_t' S^-1 m_t + tr(S^-1 S_t S^-1 S_t)/2 at given clean values."""
    S, t = declaration.transition.covariance, declaration.level
    moved, turned = (sp.diff(e, t) for e in (declaration.transition.mean, S))
    inverse = S.adjugate() / S.det(method="berkowitz")
    curved = inverse * turned
    level = (moved.T * inverse * moved)[0] + (curved * curved).trace() / 2
    return Information(inverse.trace(), sp.true, "normal", level, sp.true, "normal")


@check_regularity.register
def _(declaration: VectorDeclaration) -> Regularity:
    """A Gaussian with a nonsingular covariance on the whole space: every condition holds for a positive level."""
    whole = "the support is the whole space"
    smooth = "the density is smooth"
    squares = (
        f"a Gaussian score has finite second moments wherever the covariance is nonsingular ({declaration.level} > 0)"
    )
    rows = [("edges", whole), ("jumps", smooth), ("variance", squares), ("level", squares)]
    findings = tuple(Finding(row, "proven", sp.true, why) for row, why in rows)
    return Regularity(findings, declaration.clean, declaration.level, declaration.params)
