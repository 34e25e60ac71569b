"""A kernel of arrays on the simplex or the sphere.

The mathematics is in symbolic/manifolds.py: the reference measure, the score as a tangent gradient, and why Vincent's
identity holds for it. What is decided here:

    score        the projection of the gradient of the log density in y
    normaliser   known for the laws of symbolic/manifold_laws.py; then log p is normalised whatever factor was given
    level score  d/dlevel of the log density less that of its log mass; the measure does not depend on the level
"""

from dataclasses import dataclass

import sympy as sp

from symdsm.errors import DeclarationError, DerivationError
from symdsm.symbolic import indexed
from symdsm.symbolic.array_declaration import ArrayDeclaration, own_level
from symdsm.symbolic.derive import level_score, require_level_score, score
from symdsm.symbolic.indexed_words import in_event_index
from symdsm.symbolic.information import Information, derived_information
from symdsm.symbolic.manifold_laws import Law, known_law
from symdsm.symbolic.manifolds import Manifold, Simplex
from symdsm.symbolic.regularity import Regularity, check_regularity
from symdsm.symbolic.regularity_manifolds import check_on_manifold

__all__ = ["ManifoldDeclaration", "from_manifold"]


@dataclass(frozen=True, eq=False)
class ManifoldDeclaration(ArrayDeclaration):
    """A kernel on a manifold; `law` is the known law that it is, or None."""

    support: Manifold
    law: Law | None

    @property
    def normalised(self) -> bool | None:
        return None if self.law is None else self.law.normalised

    @property
    def level_is_known(self) -> bool:
        """Is the mass known as a function of the level?"""
        return self.level is not None and self.law is not None and self.law.correction is not None

    @property
    def level_slope(self) -> sp.Expr:
        """d log p/dlevel, the normaliser included, in the symbols of `computed`."""
        return indexed.derivative_in(self.computed, self.level) - self.law.correction

    @property
    def computed(self) -> indexed.IndexedDensity:
        """The density as code should compute it."""
        return self.density if self.law is None else self.law.computed


def from_manifold(log_density, noisy, clean, manifold: Manifold, level, source: tuple) -> ManifoldDeclaration:
    """The declaration of a log density on a manifold, in the law's own words when the law is known."""
    density = indexed.declare(log_density, noisy, clean, positive=isinstance(manifold, Simplex))
    if density.event_ndim != 1:
        raise DeclarationError(
            given=f"{noisy} with {density.event_ndim} indices on {manifold}",
            expected="one index: an event on the simplex or the sphere is a vector",
            fix="flatten the event, or declare independent kernels, one for each row",
        )
    (length,) = density.shapes[density.noisy]
    if length.is_number and length < 2:
        raise DeclarationError(
            given=f"{noisy} of length {length} on {manifold}", expected="at least two entries", fix="use a longer array"
        )
    own_level(density, level)
    law = known_law(density, manifold, level)
    density = density if law is None else law.density
    return ManifoldDeclaration(density, own_level(density, level), source, manifold, law)


@score.register
def _(declaration: ManifoldDeclaration) -> sp.Expr:
    d = declaration.density
    (j,), (n,) = indexed.event_indices(d), d.shapes[d.noisy]

    def along(weight):
        terms = [(c.seed * weight(c.target), c.limits) for c in d.score]
        return sp.Add(*(sp.Sum(term, *limits) if limits else term for term, limits in terms))

    gradient = sp.Add(*(in_event_index(c, (j,), d.shapes[d.noisy]) for c in d.score))
    return d.restore(declaration.support.projected(gradient, along, d.noisy, j, n))


@level_score.register
def _(declaration: ManifoldDeclaration) -> sp.Expr:
    require_level_score(declaration)
    slope = indexed.derivative_in(declaration.density, declaration.level) - declaration.law.correction
    return declaration.density.restore(min((slope, sp.expand(slope)), key=sp.count_ops))


@require_level_score.register
def _(declaration: ManifoldDeclaration) -> None:
    if declaration.level is None:
        raise DerivationError(
            given="a kernel without a level",
            expected="the parameter that sets the amount of noise",
            fix="declare the kernel with level=..., one of its parameters",
        )
    if not declaration.level_is_known:
        raise DerivationError(
            given=f"a density on {declaration.support} whose mass is not known as a function of {declaration.level}",
            expected="a Dirichlet, logistic-normal or von Mises-Fisher density",
            fix="declare one of these, or train with objective='dsm'",
        )


@derived_information.register
def _(declaration: ManifoldDeclaration) -> Information:
    """E |tangent score|^2 of the known laws."""
    law = declaration.law
    if law is None or law.information is None:
        return Information(None, sp.true, "no closed form in symbols is known for this density on a manifold")
    return Information(law.information, law.finite_information, law.name)


@check_regularity.register
def _(declaration: ManifoldDeclaration) -> Regularity:
    return check_on_manifold(declaration)
