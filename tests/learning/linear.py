"""Networks linear in their parameters, whose objectives are quadratic: the minimiser is solved for, not trained.

One feature is the truth. Then every valid objective has the same minimiser in expectation, theta = (1, 0, .., 0), and
what N draws give differs from it by no more than their covariance says: N (theta - e)' C^-1 (theta - e) is chi-square.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import chi2

from symdsm.learning.curves import Curve
from symdsm.learning.networks import AbstractDenoiser, AbstractEnergy, AbstractScore
from symdsm.learning.potentials import DenoiserPotential, EnergyPotential, ScorePotential
from symdsm.learning.scaling import Scaling


def bare_scaling(shape, log_fisher=0.0, log_level_fisher=0.0, centre=None):
    """Scales that leave the network alone: what it returns is the energy, the score or the clean event.

    With a centre, for kernels that do not take every number, the kernel's energy about it is added.
    """
    zero = Curve(jnp.zeros((1, *shape)))
    low, high = (-jnp.inf, jnp.inf) if centre is None else (centre, centre)
    box = (jnp.full(shape, edge) for edge in (centre or 0.0, low, high))
    log_weight = Curve(jnp.full((1, *shape), -200.0))
    constants = [Curve(jnp.full(1, float(v))) for v in (log_fisher, log_level_fisher)]
    return Scaling(*box, zero, zero, log_weight, zero, *constants, reach=float("inf"))


class LinearEnergy(AbstractEnergy):
    event_shape: tuple[int, ...] = eqx.field(static=True)
    theta: jax.Array
    features: Callable = eqx.field(static=True)

    def __call__(self, x, level):
        return self.theta @ self.features(x, level)


class LinearScore(AbstractScore):
    event_shape: tuple[int, ...] = eqx.field(static=True)
    theta: jax.Array
    features: Callable = eqx.field(static=True)

    def __call__(self, x, level):
        return jnp.tensordot(self.theta, self.features(x, level), axes=1)


class LinearDenoiser(AbstractDenoiser):
    event_shape: tuple[int, ...] = eqx.field(static=True)
    theta: jax.Array
    features: Callable = eqx.field(static=True)

    def __call__(self, x, level):
        return jnp.tensordot(self.theta, self.features(x, level), axes=1)


def with_features(kind, features, count, noise, shape, **information):
    """The potential of a linear network of one kind, "energy", "score" or "denoiser", at theta = 0."""
    scaling, theta = bare_scaling(shape, **information), jnp.zeros(count)
    if kind == "energy":
        return EnergyPotential(LinearEnergy(shape, theta, features), noise, scaling, Curve(jnp.zeros(1)))
    if kind == "score":
        return ScorePotential(LinearScore(shape, theta, features), noise, scaling)
    zero = Curve(jnp.zeros((1, *shape)))
    return DenoiserPotential(LinearDenoiser(shape, theta, features), noise, scaling, zero, zero)


def gradients(objective, potential, data, key, u):
    """f(theta) -> gradients of the loss in theta, one row for each row of the data."""
    keys = jax.random.split(key, len(data))

    def loss(theta, key, x):
        return objective(eqx.tree_at(lambda p: p.net.theta, potential, theta), key, x, u)

    return jax.jit(lambda theta: jax.vmap(jax.grad(loss), (None, 0, 0))(theta, keys, data))


def solved(objective, potential, data, key, u):
    """(theta, its covariance): the minimiser over these draws, and the sandwich estimate of its error."""
    slopes = gradients(objective, potential, data, key, u)
    start, *moved = (np.asarray(slopes(t)).mean(0) for t in jnp.eye(len(potential.net.theta) + 1)[:, 1:])
    hessian = np.stack(moved, axis=1) - start[:, None]
    theta = -np.linalg.solve(hessian, start)
    inverse = np.linalg.inv(hessian)
    return theta, inverse @ np.cov(np.asarray(slopes(jnp.asarray(theta))).T) @ inverse.T / len(data)


def p_value(miss, covariance):
    """That of the hypothesis that the mean of `miss` is zero, up to rounding: esm has no error at the truth."""
    rounding = 1e-20 * np.eye(len(miss))
    return float(chi2.sf(miss @ np.linalg.solve(covariance + rounding, miss), len(miss)))
