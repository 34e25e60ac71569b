"""A coupled kernel: a log density in index notation over an event of any size.

log p(y | x) is one number for the whole event; the score has the event's shape. The normal form, its derivative and
the size rules are in symbolic/indexed.py. What is decided here:

    level       the level score includes the normaliser: by the scale rule, d log Z/ds = n/s for y = centre + s u
    normalised  a Gaussian in its own normaliser; otherwise not known, and log_prob is the density as it was given
    validity    the support is the whole space; a quadratic log density has a score with finite second moments
"""

from dataclasses import dataclass

import sympy as sp

from symdsm.errors import DeclarationError, DerivationError
from symdsm.symbolic import indexed
from symdsm.symbolic.derive import level_score, require_level_score, score
from symdsm.symbolic.indexed_gaussian import is_quadratic, log_normaliser_derivative
from symdsm.symbolic.regularity import Finding, Regularity, check_regularity

__all__ = ["CoupledDeclaration", "from_coupled"]


@dataclass(frozen=True, eq=False)
class CoupledDeclaration:
    """The declaration of a coupled kernel; `density` is its normal form, equality is that of what was declared."""

    density: indexed.IndexedDensity
    level: sp.Symbol | None
    normalised: bool | None
    source: tuple

    @property
    def event_ndim(self) -> int:
        return self.density.event_ndim

    @property
    def noisy(self):
        return self.density.restore(self.density.noisy)

    @property
    def clean(self):
        return self.density.restore(self.density.clean)

    @property
    def params(self) -> tuple:
        """Scalars and arrays, sorted by name; sizes are read from the arrays and are none of them."""
        own = [*self.density.scalar_params, *self.density.array_params]
        return tuple(sorted((self.density.restore(p) for p in own), key=str))

    @property
    def log_density(self) -> sp.Expr:
        return self.density.restore(self.density.expr)

    @property
    def support(self) -> sp.Set:
        return sp.S.Reals**self.event_ndim if self.event_ndim > 1 else sp.S.Reals

    @property
    def level_is_a_scale(self) -> bool:
        """Is the normaliser's derivative in the level known?"""
        return self.level is not None and log_normaliser_derivative(self.density, self.level) is not None

    def __eq__(self, other):
        return isinstance(other, CoupledDeclaration) and self.source == other.source

    def __hash__(self):
        return hash(self.source)


def from_coupled(f, noisy, clean, support, level, log: bool) -> CoupledDeclaration:
    """A coupled kernel from a log density, or from a density that is a product of exponentials."""
    if support is not None and support != sp.S.Reals:
        raise DeclarationError(
            given=f"a coupled kernel with the support {support}",
            expected="a density on the whole space",
            fix="change coordinates so that each entry is unbounded (a logarithm), and leave support out",
        )
    log_density = f if log else sp.log(f)
    density = indexed.declare(log_density, noisy, clean)
    if level is not None and density.own(level) not in density.scalar_params:
        names = ", ".join(map(str, (*density.scalar_params, *density.array_params))) or "none"
        raise DeclarationError(
            given=f"level={level}, which is none of the kernel's scalar parameters ({names})",
            expected="the noise level among the kernel's scalar parameters",
            fix="pass the symbol that sets the amount of noise, level=...",
        )
    own = None if level is None else density.own(level)
    settled = own is not None and log_normaliser_derivative(density, own) == 0
    return CoupledDeclaration(
        density, own, True if settled else None, ("density", f, noisy, clean, support, level, log)
    )


@score.register
def _(declaration: CoupledDeclaration):
    return indexed.score_expression(declaration.density)


@level_score.register
def _(declaration: CoupledDeclaration):
    require_level_score(declaration)
    density, level = declaration.density, declaration.level
    correction = log_normaliser_derivative(density, level)
    return density.restore(indexed.derivative_in(density, level) - correction)


@require_level_score.register
def _(declaration: CoupledDeclaration) -> None:
    if not declaration.level_is_a_scale:
        raise DerivationError(
            given="a coupled kernel whose normaliser is not known as a function of the level"
            if declaration.level is not None
            else "a kernel without a level",
            expected="a level that is a scale of the noise, y = centre + level * u",
            fix="write the residuals divided by the level, or train with objective='dsm'",
        )


@check_regularity.register
def _(declaration: CoupledDeclaration) -> Regularity:
    rough = declaration.density.expr.atoms(sp.Piecewise, sp.sign, sp.Heaviside)
    jumps = (
        Finding("jumps", "unknown", None, "the density has pieces whose joints were not compared")
        if rough
        else Finding("jumps", "proven", sp.true, "the density is continuous (kinks at most)")
    )
    if is_quadratic(declaration.density):
        variance = Finding("variance", "proven", sp.true, "a Gaussian score has finite second moments")
    else:
        variance = Finding("variance", "unknown", None, "E |score|^2 of this coupled density was not decided")
    findings = [Finding("edges", "proven", sp.true, "the support is the whole space"), jumps, variance]
    if declaration.level is not None:
        known = declaration.level_is_a_scale
        reason = "the normaliser in the level is known by the scale rule" if known else "the normaliser is not known"
        quadratic = is_quadratic(declaration.density)
        when = sp.false if not known else sp.true if quadratic else None
        findings.append(Finding("level", "fails" if not known else "proven" if quadratic else "unknown", when, reason))
    return Regularity(tuple(findings), declaration.clean, declaration.level, declaration.params)
