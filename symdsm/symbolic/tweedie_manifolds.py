r"""What the marginal score of a kernel on a manifold identifies.

The tangent score of a von Mises-Fisher kernel is (I - y y') kappa x, so l(y) = kappa (I - y y') E[x | y]: the part of
E[x | y] along y is not told. Dirichlet and logistic-normal scores tell (I - 11'/n) of E[a(x) | y] divided by y, a the
concentrations or log x: E[a(x) | y] up to a multiple of y. None of them is a denoiser without knowing more about x.
"""

import sympy as sp

from symdsm.symbolic.coupled_manifold import ManifoldDeclaration
from symdsm.symbolic.tweedie_form import Tweedie, free_name

__all__ = ["manifold_tweedie"]

_IDENTIFIED = {
    "sphere": "the tangent score tells only the part of the mean natural parameter that is orthogonal to y",
    "simplex": "the tangent score tells the mean natural parameter only up to a multiple of y",
}


def manifold_tweedie(declaration: ManifoldDeclaration) -> Tweedie:
    """No denoiser, and why."""
    names = {s.name for s in declaration.log_density.free_symbols}
    base = sp.IndexedBase(free_name(names), real=True)
    return Tweedie(base, reason=_IDENTIFIED[declaration.support.manifold])
