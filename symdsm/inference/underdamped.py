r"""Underdamped Langevin dynamics for `numpyro.infer.MCMC`.

    dx = v dt,        dv = -grad U(x) dt - gamma v dt + sqrt(2 gamma) dw,        stationary law exp(-U(x) - |v|^2/2),

by the BAOAB splitting (Leimkuhler & Matthews 2013, Appl. Math. Res. Express 2013): with step h and c = exp(-gamma h)

    B  v <- v - (h/2) g(x)      A  x <- x + (h/2) v      O  v <- c v + sqrt(1 - c^2) n      then A and B again.

On Gaussians the law of x is exact for every stable step; elsewhere it is off by order h^2.

B and A are reversible and keep volume, O is in detailed balance with N(0, I), and the order is a palindrome. So a
path of k steps that starts at a fresh velocity, and the same path run backwards, have probabilities whose ratio is
exp(-W) with the work

    W = H(end) - H(start) - sum of the changes of |v|^2/2 in the O parts,        H = U + |v|^2/2,

and accepting the path's end with probability min(1, exp(-W)) makes p exact (Sivak, Chodera & Crooks 2013, Phys. Rev.
X 3, 011007). Each path has the step R h with R uniform on (LEAST, 1), drawn with the velocity, which leaves that as
it is: where the law is narrower than elsewhere, as in the arms of a bent one, paths at h are all refused, and a chain
would not come there, or not leave (Neal 2011, MCMC using Hamiltonian dynamics, section 3.2).
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax, random
from jaxtyping import Array, PRNGKeyArray
from numpyro.infer import init_to_uniform

from symdsm.inference.langevin_base import Langevin, Point, Step, accept_or_stay, require, stay_finite, unwhiten, whiten

__all__ = ["UnderdampedLangevin"]

LEAST = 0.2


class UnderdampedLangevin(Langevin):
    """BAOAB: `num_steps` steps of size `step_size` a draw, at friction gamma.

    Unadjusted (the default) it needs the gradient only, keeps its velocity from draw to draw, adapts nothing, and
    takes a `VectorScore` or `LearnedScore` too. With adjusted=True a path begins at a fresh velocity, has a step of
    its own between 0.2 h and h, and is accepted with probability min(1, exp(-W)); warm-up tunes h to
    `target_accept_prob` and the mass to draws and gradients.

    `step_size` is h, in the unit of the unconstrained latents. Raises EnergyRequired for a score when adjusted,
    ParameterError for a step or friction that is not positive, num_steps below 1, an acceptance outside (0, 1) or
    blocks in dense_mass, ValueError without exactly one of model and potential_fn.
    """

    keys = 3

    def __init__(
        self,
        model: Callable | None = None,
        potential_fn: Callable | None = None,
        *,
        step_size: float = 0.1,
        friction: float = 1.0,
        num_steps: int = 10,
        adjusted: bool = False,
        dense_mass: bool = False,
        target_accept_prob: float = 0.8,
        init_strategy: Callable = init_to_uniform,
    ):
        require(
            friction > 0 and num_steps >= 1,
            f"friction = {friction}, num_steps = {num_steps}",
            "a positive friction and at least one step",
            "try friction=1.0, num_steps=10",
        )
        self.adjusted, self._friction, self._num_steps = adjusted, friction, num_steps
        adapt = adjusted, adjusted
        super().__init__(model, potential_fn, step_size, adapt, dense_mass, target_accept_prob, init_strategy)

    def start_velocity(self, key: PRNGKeyArray, z: Array) -> Array:
        """v ~ N(0, I)."""
        return random.normal(key, z.shape, z.dtype)

    def step(
        self, keys: list[PRNGKeyArray], at: Point, velocity: Array, h: Array, scale: Array, evaluate: Callable
    ) -> Step:
        """One path of `num_steps` BAOAB steps."""
        fresh, uniform, noise = keys
        start = velocity
        if self.adjusted:
            start = self.start_velocity(fresh, at.z)
            h = h * random.uniform(random.fold_in(fresh, 1), (), h.dtype, LEAST)
        c = jnp.exp(-self._friction * h)

        def baoab(carry, key):
            point, v, heat = carry
            v = v - h / 2 * whiten(scale, point.grad)
            z = point.z + h / 2 * unwhiten(scale, v)
            before, v = v, c * v + jnp.sqrt(1 - c**2) * random.normal(key, v.shape, v.dtype)
            point = evaluate(z + h / 2 * unwhiten(scale, v))
            return (point, v - h / 2 * whiten(scale, point.grad), heat + kinetic(v) - kinetic(before)), None

        zero = jnp.zeros((), at.z.dtype)
        (end, v, heat), _ = lax.scan(baoab, (at, start, zero), random.split(noise, self._num_steps))
        if not self.adjusted:
            return Step(*stay_finite(end, at, v, -start))
        work = end.potential + kinetic(v) - at.potential - kinetic(start) - heat
        point, accept, diverging = accept_or_stay(uniform, -work, end, at)
        return Step(point, v, accept, diverging)


def kinetic(v: Array) -> Array:
    """|v|^2 / 2."""
    return jnp.sum(v**2) / 2
