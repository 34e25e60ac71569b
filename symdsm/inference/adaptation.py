r"""Warm-up of a Langevin kernel: its step size by dual averaging, its mass by draws and gradients.

The windows are those of Stan and NumPyro: a start without a mass, windows that double, an end for the step size
alone, which is longer here, because one Langevin step says less about a step size than a trajectory. When a window
closes, its draws z and their gradients g = grad U(z) give the inverse mass matrix S as the positive definite solution
of

    S cov(g) S = cov(z),        the geometric mean of cov(z) and cov(g)^{-1},

which minimises the Fisher divergence between the whitened target and a standard normal (Seyboldt, Carlson &
Carpenter, Preconditioning Hamiltonian Monte Carlo by minimizing Fisher divergence; for a diagonal S it is
sd(z) / sd(g)). On a normal target with precision P the gradient is P (z - mu), so that cov(g) = P cov(z) P and S is
P^{-1} whatever cov(z) is, once it has full rank. That matters here: a Langevin chain needs its mass in order to mix,
so the covariance of draws alone would have to be known before it can be seen.

With a^2 the diagonal solution, the dense one is a M a with M cov(a g) M = cov(z / a), by a Cholesky
factor L of the right side and the eigenvectors Q and values mu of L' cov(a g) L: M = L Q mu^{-1/2} Q' L'. A window
of fewer than `FULL` draws per coordinate keeps to the diagonal.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array
from numpyro.infer.hmc_util import build_adaptation_schedule, dual_averaging

__all__ = ["Adaptation", "Adapter"]

LAST = 0.15  # of warm-up, on top of NumPyro's 50 steps
FULL = 4
FLOOR = 1e-6  # of the eigenvalues of a correlation matrix, for rounding
_start_steps, _next_step = dual_averaging()


class Moments(NamedTuple):
    """Count, means and summed squares (diagonal) or products (dense) of draws and gradients, by Welford's updates."""

    n: Array
    mean: tuple[Array, Array]
    squares: tuple[Array, Array]


class Adaptation(NamedTuple):
    """What warm-up has found: the step size, S, and A with S = A'A; and what it is still collecting."""

    step_size: Array
    inverse_mass_matrix: Array
    mass_matrix_sqrt_inv: Array
    averages: Array
    moments: Moments | None


class Adapter:
    """`start` and `update` of an `Adaptation` over `num_warmup` steps."""

    def __init__(self, num_warmup: int, step_size: bool, mass: bool, dense: bool, target: float):
        self.num_warmup, self.dense, self.target = num_warmup, dense, target
        self.step_size, self.mass = step_size, mass
        windows = build_adaptation_schedule(num_warmup - int(LAST * num_warmup))[1:-1] if mass else []
        steps = np.arange(max(num_warmup, 1))
        self.collects = sum(((steps >= w.start) & (steps <= w.end) for w in windows), np.zeros(steps.size, bool))
        self.closes = np.isin(steps, [w.end for w in windows])

    def start(self, step_size: Array, z: Array) -> Adaptation:
        """Before the first step: S is one."""
        one = jnp.eye(z.size, dtype=z.dtype) if self.dense else jnp.ones_like(z)
        return Adaptation(step_size, one, one, _averages(step_size), self._empty(z) if self.closes.any() else None)

    def _empty(self, z):
        zero = jnp.zeros_like(z)
        square = jnp.zeros((z.size, z.size), z.dtype) if self.dense else zero
        return Moments(jnp.zeros((), z.dtype), (zero, zero), (square, square))

    def update(self, i: Array, accept: Array, z: Array, grad: Array, now: Adaptation) -> Adaptation:
        """After step i < num_warmup that came to z with this acceptance probability."""
        if self.step_size:
            averages = jnp.stack(_next_step(self.target - accept, tuple(now.averages))).astype(z.dtype)
            log_step = jnp.where(i == self.num_warmup - 1, averages[1], averages[0])
            tiny, huge = jnp.finfo(z.dtype).tiny, jnp.finfo(z.dtype).max
            now = now._replace(step_size=jnp.clip(jnp.exp(log_step), tiny, huge).astype(z.dtype), averages=averages)
        if not self.closes.any():
            return now
        collects, closes = jnp.asarray(self.collects)[i], jnp.asarray(self.closes)[i]
        moments = lax.cond(collects, lambda m: _add(m, (z, grad)), lambda m: m, now.moments)
        return lax.cond(closes, self._close, lambda a: a, now._replace(moments=moments))

    def _close(self, now: Adaptation) -> Adaptation:
        old = now.mass_matrix_sqrt_inv
        found = self._root(now.moments)
        root = jnp.where(jnp.all(jnp.isfinite(found)), found, old)
        inverse = root.T @ root if self.dense else root**2
        averages = _averages(now.step_size) if self.step_size else now.averages
        return Adaptation(now.step_size, inverse, root, averages, self._empty(now.moments.mean[0]))

    def _root(self, moments: Moments) -> Array:
        """A with A'A = S; not finite where a coordinate or its gradient never changed."""
        draws, grads = (square / (moments.n - 1) for square in moments.squares)
        if not self.dense:
            return (draws / grads) ** 0.25
        sd, sd_of_grad = jnp.sqrt(jnp.diag(draws)), jnp.sqrt(jnp.diag(grads))
        a, size = jnp.sqrt(sd / sd_of_grad), sd * sd_of_grad
        floor = FLOOR * jnp.diag(size)
        lower = jnp.linalg.cholesky(draws / jnp.outer(a, a) + floor)
        values, vectors = jnp.linalg.eigh(lower.T @ (grads * jnp.outer(a, a) + floor) @ lower)
        values = jnp.maximum(values, FLOOR * values[-1])
        full = (values[:, None] ** -0.25 * vectors.T) @ lower.T * a
        return jnp.where(moments.n >= FULL * sd.size, full, jnp.diag(a))


def _averages(step_size: Array) -> Array:
    """Dual averaging about ten times the step size, as NumPyro starts it, in one array: a loop copies each."""
    return jnp.stack([jnp.asarray(v, step_size.dtype) for v in _start_steps(jnp.log(10.0) + jnp.log(step_size))])


def _add(moments: Moments, points: tuple[Array, Array]) -> Moments:
    n = moments.n + 1
    means, squares = [], []
    for point, mean, square in zip(points, moments.mean, moments.squares, strict=True):
        before = point - mean
        means.append(mean + before / n)
        after = point - means[-1]
        squares.append(square + (jnp.outer(after, before) if square.ndim == 2 else after * before))
    return Moments(n, tuple(means), tuple(squares))
