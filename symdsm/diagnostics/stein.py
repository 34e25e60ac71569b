r"""Do draws follow the density whose gradient they were drawn by?  Kernel Stein discrepancy.

With s = grad log p at the draws and k(x, y) = (1 + |x - y|^2 / l^2)^(-1/2), the inverse multiquadric,

    u(x, y) = s(x).s(y) k + s(x).grad_y k + s(y).grad_x k + tr grad_x grad_y k,        E u(x, y) = 0 under p,

and only under p for tails that Gorham & Mackey (2017, arXiv:1703.01717) state. Coordinates are in units of the draws'
sds, l^2 is the median squared distance. The normaliser of p never enters, and so neither do weights of modes far apart:
this check sees what happens within a mode.

The null distribution is that of the wild bootstrap: signs e_i e_j on u(x_i, x_j) (Liu, Lee & Jordan 2016,
arXiv:1602.03253). It holds for independent draws, so draws are thinned to their effective number first.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

__all__ = ["Stein", "stein_test"]


class Stein(NamedTuple):
    """The discrepancy, a U-statistic, its p-value, and how many draws it was computed from."""

    value: float
    p_value: float
    points: int


def stein_kernel(x: np.ndarray, s: np.ndarray) -> np.ndarray:
    """u(x_i, x_j) for points x and scores s, both (n, d)."""
    d = x.shape[1]
    apart = x[:, None] - x[None]
    square = (apart**2).sum(-1)
    l2 = np.median(square[np.triu_indices(len(x), 1)]) + 1e-12
    base = 1 + square / l2
    k, slope, bend = base**-0.5, -(base**-1.5) / l2, 3 * base**-2.5 / l2**2
    # k = phi(r^2 / 2) with phi' = slope and phi'' = bend: grad_x k = slope (x - y), grad_y k = -slope (x - y).
    cross = np.einsum("id,ijd->ij", s, apart) - np.einsum("jd,ijd->ij", s, apart)
    return (s @ s.T) * k - slope * cross - d * slope - bend * square


def stein_test(x: Float[np.ndarray, "n d"], s: Float[np.ndarray, "n d"], replicates: int = 999) -> Stein:
    """The test for points x and scores s, about independent; seeded, so that the same draws give the same p-value."""
    sd = x.std(0)
    moving = sd > 0
    u = stein_kernel(x[:, moving] / sd[moving], s[:, moving] * sd[moving])
    np.fill_diagonal(u, 0.0)
    n = len(u)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(replicates, n))
    null = np.einsum("ri,ij,rj->r", signs, u, signs, optimize=True) / (n * (n - 1))
    value = u.sum() / (n * (n - 1))
    return Stein(float(value), float((1 + (null >= value).sum()) / (1 + replicates)), n)
