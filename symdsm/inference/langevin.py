r"""Overdamped Langevin kernels for `numpyro.infer.MCMC`.

With potential U = -log p, gradient g = grad U, step h and inverse mass matrix A'A, both propose

    y = x + A' d,        d = D(x) + sqrt(2 h) n,        n ~ N(0, I)

(Roberts & Tweedie 1996, Bernoulli 2). `ULA` has D(x) = -h A g(x), so that y = x - h A'A g(x) + sqrt(2 h) A' n, and
takes every proposal: it needs g only, and samples a law that is off by order h: on N(0, 1) its variance is
1 / (1 - h/2). `MALA` accepts with probability min(1, a),

    log a = U(x) - U(y) + (|d - D(x)|^2 - |d + D(y)|^2) / (4 h),

which makes p itself stationary for every D; during warm-up h is tuned to an acceptance of 0.574 (Roberts & Rosenthal
1998, JRSS B 60), and A to draws and gradients.

Where U grows faster than a square, as for the logarithm of a half-normal scale, U(z) = exp(2 z) / 2 - z, a step
-h A'A g from the tail leaps over the whole law, nothing leads back, and a chain stays there for thousands of draws. So
MALA's drift is the truncated one of that paper's MALTA, taken coordinate by coordinate in units of the noise,

    D(x) = -h A g(x),        cut to 2 sqrt(2 h) on either side.

On N(0, 1) at h = 1 that is a cut beyond 2.8 standard deviations. Where the cut begins, a move along D lowers U by 8 to
first order, and 8 is the most that the way back costs: (2 + 2)^2 / 2.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import random
from jaxtyping import Array, PRNGKeyArray
from numpyro.infer import init_to_uniform

from symdsm.inference.langevin_base import Langevin, Point, Step, accept_or_stay, stay_finite, unwhiten, whiten

__all__ = ["MALA", "ULA"]


CUT = 2.0


class ULA(Langevin):
    """Unadjusted Langevin: x - h grad U(x) + sqrt(2 h) n, never refused.

    Takes a model, a potential function, or a score alone (`VectorScore`, `LearnedScore`). `step_size` is h, in the
    square of the unit of the unconstrained latents, and is not adapted because the bias depends on it. A step to where
    U or its gradient is no number is not taken, and counts as diverging.

    Raises ParameterError for a step that is not positive, ValueError without exactly one of model and potential_fn.
    """

    adjusted = False

    def __init__(
        self,
        model: Callable | None = None,
        potential_fn: Callable | None = None,
        *,
        step_size: float = 0.01,
        init_strategy: Callable = init_to_uniform,
    ):
        super().__init__(model, potential_fn, step_size, (False, False), False, 0.574, init_strategy)

    def step(
        self, keys: list[PRNGKeyArray], at: Point, velocity: None, h: Array, scale: Array, evaluate: Callable
    ) -> Step:
        """x - h grad U(x) + sqrt(2 h) n."""
        noise = random.normal(keys[0], at.z.shape, at.z.dtype)
        new = evaluate(at.z - h * at.grad + jnp.sqrt(2 * h) * noise)
        return Step(*stay_finite(new, at, velocity, velocity))


class MALA(Langevin):
    """Metropolis-adjusted Langevin with a truncated drift (Roberts & Tweedie 1996), preconditioned.

    `step_size` is the h that warm-up starts from; `target_accept_prob` what it tunes h to; `dense_mass` asks for a
    full inverse mass matrix in place of a diagonal one.

    One step size fits one width. Where a law is much narrower in places, as in the arms of a strongly bent one, steps
    that suit its middle are refused, with this kernel as with any MALA: its chains mix slowly there, R-hat and the
    effective size tell, and `UnderdampedLangevin(adjusted=True)` or NUTS is the better choice.

    Raises EnergyRequired for a score without an energy, ParameterError for a step that is not positive, an acceptance
    outside (0, 1) or blocks in dense_mass, ValueError without exactly one of model and potential_fn.
    """

    keys = 2

    def __init__(
        self,
        model: Callable | None = None,
        potential_fn: Callable | None = None,
        *,
        step_size: float = 0.1,
        adapt_step_size: bool = True,
        adapt_mass_matrix: bool = True,
        dense_mass: bool = False,
        target_accept_prob: float = 0.574,
        init_strategy: Callable = init_to_uniform,
    ):
        adapt = adapt_step_size, adapt_mass_matrix
        super().__init__(model, potential_fn, step_size, adapt, dense_mass, target_accept_prob, init_strategy)

    def step(
        self, keys: list[PRNGKeyArray], at: Point, velocity: None, h: Array, scale: Array, evaluate: Callable
    ) -> Step:
        """Propose, and accept with probability min(1, a)."""
        noise, uniform = keys
        root = jnp.sqrt(2 * h)

        def drift(point):
            return jnp.clip(-h * whiten(scale, point.grad), -CUT * root, CUT * root)

        # In this order a chain by itself and one of several round alike; in units of the noise they do not.
        d = drift(at) + root * random.normal(noise, at.z.shape, at.z.dtype)
        new = evaluate(at.z + unwhiten(scale, d))
        squares = jnp.sum((d - drift(at)) ** 2) - jnp.sum((d + drift(new)) ** 2)
        log_ratio = at.potential - new.potential + squares / (4 * h)
        point, accept, diverging = accept_or_stay(uniform, log_ratio, new, at)
        return Step(point, velocity, accept, diverging)
