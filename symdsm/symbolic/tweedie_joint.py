r"""The generalised Tweedie formula for a kernel of a few coordinates.

Where the score is affine in the clean column, s = B(y) x + c(y) with B square and invertible, whatever the prior

    E[x | y] = B^-1 (l - c),        l = d/dy log q(y),

as for every Gaussian with a fixed covariance, however its coordinates are mixed. Source: Efron, Journal of the American
Statistical Association 106 (2011).
"""

import sympy as sp

from symdsm.symbolic.derive import score
from symdsm.symbolic.joint import JointDeclaration
from symdsm.symbolic.nodes import plain
from symdsm.symbolic.tweedie_form import Tweedie, free_name

__all__ = ["joint_tweedie"]


def joint_tweedie(declaration: JointDeclaration) -> Tweedie:
    """E[x | y] where the score is affine in x; else no denoiser, with the reason."""
    x, y = sp.ImmutableDenseMatrix(declaration.clean_symbols), declaration.noisy_symbols
    name = free_name({s.name for s in (*y, *x, *declaration.params)})
    l = sp.ImmutableDenseMatrix([sp.Symbol(f"{name}_{s.name}", real=True) for s in y])  # noqa: E741
    own = score(declaration).applyfunc(plain)
    slopes = own.jacobian(x).applyfunc(sp.cancel)
    if slopes.free_symbols & set(x):
        return Tweedie(l, reason="the score is not affine in the clean value")
    if not slopes.is_square:
        return Tweedie(l, reason=f"{len(y)} noisy coordinates see {len(x)} clean ones: no square system to solve")
    determinant = slopes.det(method="berkowitz")
    if sp.cancel(determinant) == 0:
        return Tweedie(l, reason="the score identifies only a combination of the clean values")
    centre = own.xreplace(dict.fromkeys(x, sp.S.Zero))
    mean = (slopes.adjugate() * (l - centre) / determinant).applyfunc(_short)
    shown = mean[0] if len(x) == 1 else sp.ImmutableDenseMatrix(mean)
    return Tweedie(l, declaration.clean, shown, shown)


def _short(entry: sp.Expr) -> sp.Expr:
    return min(
        (sp.factor_terms(sp.cancel(sp.together(entry))), sp.expand(sp.cancel(sp.together(entry)))), key=sp.count_ops
    )
