"""Fits that are exact: Gaussian mixtures under a real Gaussian kernel, whose noised density is known at every level.

    p(x) = sum_k w_k N(x; m_k, d^2 I),   y | x ~ N(a(l) x, v(l)):   q_l(y) = sum_k w_k N(y; a m_k, (a^2 d^2 + v) I)

They are `Fit`s of an energy, so that whatever takes a trained fit takes them.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

import symdsm as sd
from symdsm.learning.curves import Curve
from symdsm.learning.fitted import Fit
from symdsm.learning.networks import AbstractEnergy
from symdsm.learning.noise import Noise
from symdsm.learning.potentials import EnergyPotential
from symdsm.learning.scaling import Scaling
from symdsm.learning.training import History


class Nothing(AbstractEnergy):
    """The network of a fit that needs none."""

    event_shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x, level):
        return jnp.zeros((), x.dtype)


class MixturePotential(EnergyPotential):
    """-log q of the mixture; `moments(params)` is (a, v) of the kernel."""

    means: jax.Array
    log_weights: jax.Array
    sd: jax.Array
    moments: Callable = eqx.field(static=True)

    def energy(self, y, u):
        a, v = self.moments(self.noise.at(u))
        variance = a**2 * self.sd**2 + v
        squares = jnp.sum((y - a * self.means) ** 2, axis=tuple(range(1, self.means.ndim)))
        size = self.means[0].size
        return 0.5 * size * jnp.log(2 * jnp.pi * variance) - logsumexp(self.log_weights - squares / (2 * variance))


def exploding(params):
    """(a, v) of y = x + sigma e."""
    return 1.0, params["sigma"] ** 2


def preserving(params):
    """(a, v) of the VP diffusion."""
    t, low, high = params["t"], params["beta_min"], params["beta_max"]
    b = low * t + (high - low) * t**2 / 2
    return jnp.exp(-b / 2), -jnp.expm1(-b)


def draw(key, means, weights, sd_, n):
    """n clean draws of the mixture."""
    means = jnp.asarray(means, float)
    pick, noise = jax.random.split(key)
    x = means[jax.random.choice(pick, len(means), (n,), p=jnp.asarray(weights, float))]
    return x + sd_ * jax.random.normal(noise, x.shape)


def exact_fit(means, weights, sd_, kernel=None, levels=None, params=None, moments=exploding, n=4000):
    """The exact fit of a mixture; a Gaussian kernel with levels 0.02 to 20 by default."""
    means = jnp.asarray(means, float)
    kernel = sd.families.gaussian() if kernel is None else kernel
    levels = sd.geometric(0.02, 20.0) if levels is None else levels
    params = {k: jnp.asarray(v, float) for k, v in (params or {}).items()}
    noise = Noise(params, levels, kernel.level.name, False, kernel.compile())
    point, blank = jnp.zeros(means.shape[1:]), Curve(jnp.zeros(1))
    scaling = Scaling(point, point, point, *[blank] * 6)
    weights = jnp.asarray(weights, float)
    potential = MixturePotential(
        Nothing(means.shape[1:]), noise, scaling, blank, means, jnp.log(weights), jnp.asarray(sd_, float), moments
    )
    examples = draw(jax.random.key(11), means, weights, sd_, n)
    return Fit(potential, examples, kernel, "dual", History(), False, False, True)


def vp_fit(means, weights, sd_, **how):
    """The exact fit under a variance-preserving diffusion, t from 0.001 to 1."""
    params = {"beta_min": 0.1, "beta_max": 20.0}
    return exact_fit(means, weights, sd_, sd.families.vp(), sd.uniform(1e-3, 1.0), params, preserving, **how)


def modes(d):
    """Four well parted modes in d dimensions, with unequal weights; (means, weights, sd)."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(4, d))
    return 3.0 * means / np.linalg.norm(means, axis=1, keepdims=True), [0.4, 0.3, 0.2, 0.1], 0.4
