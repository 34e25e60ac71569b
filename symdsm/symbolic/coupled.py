"""A coupled kernel: a log density in index notation over an event of any size.

log p(y | x) is one number for the whole event; the score has the event's shape. The normal form, its derivative and
the size rules are in symbolic/indexed.py. What is decided here:

    level       the level score includes the normaliser: by the scale rule, d log Z/ds = n/s for y = centre + s u
    normalised  where the mass is one in numbers (symbolic/coupled_mass.py) and the level keeps it so; otherwise not
                known, and log_prob is the density as it was given
    validity    the support is the whole space or a fixed interval for each entry (log p is -inf outside);
                a quadratic log density has a score with finite second moments

Kernels on the simplex and the sphere are in symbolic/coupled_manifold.py.
"""

from dataclasses import dataclass

import sympy as sp

from symdsm.errors import DeclarationError, DerivationError
from symdsm.symbolic import indexed
from symdsm.symbolic.array_declaration import ArrayDeclaration, own_level
from symdsm.symbolic.coupled_improper import why_infinite
from symdsm.symbolic.coupled_manifold import from_manifold
from symdsm.symbolic.coupled_mass import at_random_places, has_mass_one
from symdsm.symbolic.derive import level_score, require_level_score, score
from symdsm.symbolic.indexed_gaussian import fisher_trace, log_normaliser_derivative, met
from symdsm.symbolic.information import Information, derived_information
from symdsm.symbolic.manifolds import Manifold
from symdsm.symbolic.regularity import Regularity, check_regularity
from symdsm.symbolic.regularity_coupled import check_coupled

__all__ = ["CoupledDeclaration", "from_coupled"]


@dataclass(frozen=True, eq=False)
class CoupledDeclaration(ArrayDeclaration):
    """A coupled kernel whose entries are any real numbers, or any of one interval (`entries`)."""

    normalised: bool | None
    entries: sp.Set

    @property
    def support(self) -> sp.Set:
        return self.entries**self.event_ndim if self.event_ndim > 1 and self.is_whole else self.entries

    @property
    def is_whole(self) -> bool:
        return self.entries == sp.S.Reals

    @property
    def level_is_known(self) -> bool:
        """Is the normaliser's derivative in the level known?"""
        return self.level is not None and self._correction is not None

    @property
    def level_slope(self) -> sp.Expr:
        """d log p/dlevel, the normaliser included, in the symbols of the density."""
        return indexed.derivative_in(self.density, self.level) - self._correction

    @property
    def _correction(self) -> sp.Expr | None:
        """d log Z/dlevel: zero where Z is one."""
        return sp.S.Zero if self.normalised else _correction(self.density, self.level, self.entries)


def from_coupled(f, noisy, clean, support, level, log: bool) -> ArrayDeclaration:
    """A coupled kernel from a log density, or from a density that is a product of exponentials."""
    source = ("density", f, noisy, clean, support, level, log)
    log_density = f if log else sp.log(f)
    if isinstance(support, Manifold):
        return from_manifold(log_density, noisy, clean, support, level, source)
    entries = sp.S.Reals if support is None else support
    if entries != sp.S.Reals and not _is_fixed_interval(entries):
        raise DeclarationError(
            given=f"a coupled kernel with the support {support}",
            expected="the range of each entry, sp.Interval(0, oo) say, or sd.Simplex() or sd.Sphere()",
            fix="change coordinates so that each entry is unbounded (a logarithm), and leave support out",
        )
    if not log:
        _refuse_negative(indexed.declare(f, noisy, clean, positive=entries.inf.is_nonnegative))
    density = indexed.declare(log_density, noisy, clean, positive=entries.inf.is_nonnegative)
    if not (entries.inf.is_finite and entries.sup.is_finite):
        _refuse_infinite(density, entries)
    own = own_level(density, level)
    settled = entries == sp.S.Reals and (own is None or log_normaliser_derivative(density, own) == 0)
    return CoupledDeclaration(density, own, source, True if settled and has_mass_one(density) else None, entries)


def _refuse_negative(f: indexed.IndexedDensity) -> None:
    """Refuse a density that is negative somewhere whatever the parameters are, as far as random ones tell."""
    if all(min(at_random_places(f, seed)) < 0 for seed in range(4)):
        raise DeclarationError(
            given=f"a density that is negative at random places: {f.restore(f.expr)}",
            expected="a density that is nowhere negative",
            fix="pass log=True if this is a log density",
        )


def _refuse_infinite(density, entries) -> None:
    why = why_infinite(density, entries == sp.S.Reals)
    if why:
        raise DeclarationError(
            given=f"a density that integrates to infinity: {why}",
            expected="a density whose integral over the whole event is finite",
            fix="check the sign: log=True takes -(y[i] - x[i])**2/(2*s**2); and tie every entry to its clean value",
        )


def _is_fixed_interval(support) -> bool:
    return isinstance(support, sp.Interval) and support.start.is_number and support.end.is_number


def _correction(density, level, entries) -> sp.Expr | None:
    """d log Z/dlevel by the scale rule; on a half line y = s u is the one scaling that keeps the support."""
    half = entries in (sp.Interval.open(0, sp.oo), sp.Interval(0, sp.oo))
    if entries != sp.S.Reals and not half:
        return None
    return log_normaliser_derivative(density, level, about_zero=half)


@score.register
def _(declaration: CoupledDeclaration):
    return indexed.score_expression(declaration.density)


@level_score.register
def _(declaration: CoupledDeclaration):
    require_level_score(declaration)
    return declaration.density.restore(declaration.level_slope)


@require_level_score.register
def _(declaration: CoupledDeclaration) -> None:
    if not declaration.level_is_known:
        raise DerivationError(
            given="a coupled kernel whose normaliser is not known as a function of the level"
            if declaration.level is not None
            else "a kernel without a level",
            expected="a level that is a scale of the noise, y = centre + level * u",
            fix="write the residuals divided by the level, or train with objective='dsm'",
        )


@check_regularity.register
def _(declaration: CoupledDeclaration) -> Regularity:
    return check_coupled(declaration)


@derived_information.register
def _(declaration: CoupledDeclaration) -> Information:
    """E |score|^2 of a Gaussian, the trace of its precision; the program computes the others' by simulation."""
    trace = fisher_trace(declaration.density)
    if trace is None or not declaration.is_whole:
        return Information(None, sp.true, "no closed form is sought for an array kernel that is not Gaussian")
    return Information(declaration.density.restore(met(trace)), sp.true, "normal", *_in_scale(declaration))


def _in_scale(declaration) -> tuple:
    """2 n/s^2 for a Gaussian whose level is its scale: the level score is (q - n)/s with q chi-squared of n."""
    if declaration.level is None or log_normaliser_derivative(declaration.density, declaration.level) is None:
        return ()
    count = sp.Mul(*declaration.density.shapes[declaration.density.noisy])
    restored = declaration.density.restore(2 * count / declaration.level**2)
    return restored, sp.true, "the scale rule"
