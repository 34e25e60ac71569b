"""Ready linear SDEs, each a few lines: pass one to `transition(*sde)` or `Kernel.from_sde(*sde)`.

The level of each is the time t > 0; the other symbols are parameters.
"""

from typing import NamedTuple

import sympy as sp
import sympy.stats as st

__all__ = ["LinearSDE", "critically_damped", "ou", "sub_vp", "ve", "vp"]

x, v, X = sp.symbols("x v X", real=True)
t = sp.Symbol("t", positive=True)
beta_min, beta_max = sp.symbols("beta_min beta_max", positive=True)


class LinearSDE(NamedTuple):
    """d state = drift dt + diffusion dw; `clean` and `initial` as in `transition`."""

    drift: sp.Expr | sp.ImmutableDenseMatrix
    diffusion: sp.Expr | sp.ImmutableDenseMatrix
    state: sp.Symbol | sp.ImmutableDenseMatrix
    time: sp.Symbol
    clean: dict | None = None
    initial: dict | None = None


def _linear_beta() -> tuple[sp.Expr, sp.Expr]:
    """beta(t) = beta_min + (beta_max - beta_min) t and its integral from 0."""
    return beta_min + (beta_max - beta_min) * t, beta_min * t + (beta_max - beta_min) * t**2 / 2


def ve() -> LinearSDE:
    """Variance exploding: dx = sqrt(d sigma(t)^2/dt) dw, sigma(t) = sigma_min (sigma_max/sigma_min)^t.

    y ~ N(x, sigma(t)^2 - sigma(0)^2). Song et al. 2021, arXiv 2011.13456, equation 30.
    """
    least, most = sp.symbols("sigma_min sigma_max", positive=True)
    ratio = most / least
    return LinearSDE(sp.S.Zero, least * ratio**t * sp.sqrt(2 * sp.log(ratio)), x, t)


def vp() -> LinearSDE:
    """Variance preserving: dx = -beta(t) x/2 dt + sqrt(beta(t)) dw with linear beta; B = int_0^t beta.

    y ~ N(x exp(-B/2), 1 - exp(-B)). Song et al. 2021, arXiv 2011.13456, equation 32.
    """
    beta, _ = _linear_beta()
    return LinearSDE(-beta * x / 2, sp.sqrt(beta), x, t)


def sub_vp() -> LinearSDE:
    """Sub-VP: dx = -beta(t) x/2 dt + sqrt(beta(t) (1 - exp(-2 B(t)))) dw.

    y ~ N(x exp(-B/2), (1 - exp(-B))^2). Song et al. 2021, arXiv 2011.13456, equation 34.
    """
    beta, integral = _linear_beta()
    return LinearSDE(-beta * x / 2, sp.sqrt(beta * (1 - sp.exp(-2 * integral))), x, t)


def ou() -> LinearSDE:
    """Ornstein-Uhlenbeck: dx = -theta (x - mu) dt + sigma dw.

    y ~ N(mu + (x - mu) exp(-theta t), sigma^2 (1 - exp(-2 theta t))/(2 theta)).
    Uhlenbeck and Ornstein 1930, Physical Review 36, 823.
    """
    theta, sigma = sp.symbols("theta sigma", positive=True)
    return LinearSDE(-theta * (x - sp.Symbol("mu", real=True)), sigma, x, t)


def critically_damped() -> LinearSDE:
    """Critically damped Langevin: data X move, their velocity v takes the noise; Gamma^2 = 4 M.

    dx = beta v/M dt,   dv = (-x - Gamma v/M) beta dt + sqrt(2 Gamma beta) dw,   v(0) ~ N(0, gamma M).
    Dockhorn et al. 2021, arXiv 2112.07068, equations 5 and 7.
    """
    beta, mass, gamma = sp.symbols("beta M gamma", positive=True)
    friction = 2 * sp.sqrt(mass)
    drift = sp.ImmutableDenseMatrix([beta * v / mass, -beta * x - beta * friction * v / mass])
    diffusion = sp.ImmutableDenseMatrix([0, sp.sqrt(2 * friction * beta)])
    start = {v: st.Normal("v0", 0, sp.sqrt(gamma * mass))}
    return LinearSDE(drift, diffusion, sp.ImmutableDenseMatrix([x, v]), t, {x: X}, start)
