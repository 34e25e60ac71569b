r"""Generalised Tweedie: which posterior mean does the marginal score give?

Write q(y) = integral p(x) p(y | x) dx and l = d/dy log q(y). Wherever Vincent's identity holds, l = E[score | y].
For a kernel whose score is b(y) T(x) + c(y), as that of an exponential family p = h(y) exp(eta(x) t(y) - A(x)) is
with T = eta, b = t' and c = (log h)', this says, whatever the prior,

    E[T(x) | y] = (l - c(y)) / b(y)

T is the statistic that the score identifies:

    x          Gaussian, SDE, inverse gamma, beta, gamma with a fixed rate: the posterior mean itself
    1/x        gamma speckle                    log x          log-normal
    x^-2       inverse Gaussian, Nakagami       x^-k           Weibull
    A x        a linear operator, A x + noise   exp(x/sigma)   Gumbel

When T is not affine, T^-1(E[T(x) | y]) is an estimate of x, such as the harmonic mean for speckle (Noise2Score's), and
not E[x | y]. Conditions: the identity holds; b does not vanish inside the support (it does for N(x, a x + b), at
y = -b/a, so that has no denoiser); the score holds one statistic only (a von Mises kernel gives E[sin(x - y) | y] and
no more). In several dimensions b is a matrix that must be injective.

Sources: Robbins, Proceedings of the Third Berkeley Symposium (1956); Efron, Journal of the American Statistical
Association 106 (2011); Kim and Ye, Noise2Score, arXiv 2106.07009 (2021).
"""

import sympy as sp

from symdsm.symbolic.coupled import CoupledDeclaration
from symdsm.symbolic.coupled_manifold import ManifoldDeclaration
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.joint import JointDeclaration
from symdsm.symbolic.product import ProductDeclaration
from symdsm.symbolic.regularity import check_regularity
from symdsm.symbolic.tweedie_arrays import coupled_tweedie, vector_tweedie
from symdsm.symbolic.tweedie_form import Tweedie
from symdsm.symbolic.tweedie_joint import joint_tweedie
from symdsm.symbolic.tweedie_manifolds import manifold_tweedie
from symdsm.symbolic.tweedie_scalar import scalar_tweedie
from symdsm.symbolic.vector import VectorDeclaration

__all__ = ["Tweedie", "tweedie"]

_RULES = {
    Declaration: scalar_tweedie,
    VectorDeclaration: vector_tweedie,
    JointDeclaration: joint_tweedie,
    CoupledDeclaration: coupled_tweedie,
    ManifoldDeclaration: manifold_tweedie,
}
_CACHE: dict = {}


def tweedie(declaration) -> Tweedie | dict[str, Tweedie]:
    """What the marginal score of a kernel identifies; a product gives one answer for each block, in its own symbols."""
    if isinstance(declaration, ProductDeclaration):
        return {name: _own(tweedie(block), block, name) for name, block in declaration.blocks}
    if declaration not in _CACHE:
        _CACHE[declaration] = _derived(declaration)
    return _CACHE[declaration]


def _derived(declaration) -> Tweedie:
    found = _RULES[type(declaration)](declaration)
    if check_regularity(declaration).identity_holds is sp.false:
        return Tweedie(found.score, reason="the marginal score is not the posterior mean of the score for this kernel")
    return found


def _own(found: Tweedie, block: Declaration, name: str) -> Tweedie:
    """The same in symbols that tell the blocks apart: x_speed, y_speed, l_speed."""
    put = {s: sp.Symbol(f"{s.name}_{name}", **s._assumptions_orig) for s in (block.noisy, block.clean, found.score)}
    moved = {f: None if (e := getattr(found, f)) is None else e.xreplace(put)
             for f in ("score", "statistic", "mean", "estimate")}  # fmt: skip
    return Tweedie(**moved, reason=found.reason)
