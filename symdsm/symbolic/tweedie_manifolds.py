r"""What the marginal score of a kernel on a manifold identifies; l is the tangent score of q.

Dirichlet(a(x)): (I - 11'/n) ((E[a | y] - 1)/y) = l, so E[a_j | y] = 1 + y_j (l_j + c) with one unknown c. Where a = s x
+ r and x is on the simplex too, sum a_j = s + n r is known, and with sum y_j = 1

    c = s + n r - n - sum_i y_i l_i,        E[x_j | y] = (1 - r + y_j (l_j + c)) / s

Logistic-normal: E[log x | y] up to a multiple of y. Von Mises-Fisher: l = kappa (I - y y') E[x | y], and the part of
E[x | y] along y is not told. These have no denoiser.
"""

import sympy as sp

from symdsm.symbolic.coupled_manifold import ManifoldDeclaration
from symdsm.symbolic.tweedie_form import Tweedie, free_name

__all__ = ["concentrations", "manifold_tweedie"]

_IDENTIFIED = {
    "sphere": "the tangent score tells only the part of the mean natural parameter that is orthogonal to y",
    "simplex": "the tangent score tells the mean natural parameter only up to a multiple of y",
}


def manifold_tweedie(declaration: ManifoldDeclaration) -> Tweedie:
    """E[x | y] of a Dirichlet kernel whose clean value is on the simplex; no denoiser for the others."""
    names = {s.name for s in declaration.log_density.free_symbols}
    base = sp.IndexedBase(free_name(names), real=True)
    found = concentrations(declaration)
    if found is None:
        return Tweedie(base, reason=_IDENTIFIED[declaration.support.manifold])
    (s, r), d, j = found, declaration.density, declaration.law.j
    y, n, i = declaration.noisy, d.restore(d.shapes[d.noisy][0]), sp.Symbol(free_name(names, "i"), integer=True)
    c = s + n * r - n - sp.Sum(y[i] * base[i], (i, 0, n - 1))
    mean = (1 - r + y[j] * (base[j] + c)) / s
    return Tweedie(base, declaration.clean[j], mean, mean, condition=f"{declaration.clean} adding to one")


def concentrations(declaration: ManifoldDeclaration) -> tuple[sp.Expr, sp.Expr] | None:
    """(s, r) of a Dirichlet law with the concentrations s x + r; None for another law."""
    law, clean = declaration.law, declaration.clean
    if law is None or law.name != "Dirichlet" or not isinstance(clean, sp.IndexedBase):
        return None
    a = sp.expand(law.natural)
    s = a.coeff(clean[law.j], 1)
    r = sp.expand(a - s * clean[law.j])
    return None if s == 0 or {law.j, clean.label} & (s.free_symbols | r.free_symbols) else (s, r)
