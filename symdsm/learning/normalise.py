"""The one constant, and the free function of the level.

The dual objective determines E(y, u) up to one constant for all levels. Two steps settle it after training.

**Level.** Adding a(u) to the energy, the objective's optimum in a is closed form, a'(u) = -E_q[dE/du], a
least-squares problem in one dimension that training solves only with noise. That holds the mean over the noised
data q. What normalises p = exp(-E)/Z is -d/du log Z = E_p[dE/du], the mean over p itself: in d dimensions the two
differ at first order, 2 d b for each e-fold of sigma where a normal p is too wide by the share b. Stein's identity

    E_p[A] = 0,   A = Laplace E - |grad E|^2   (p grad E vanishes far out; Stein 1972)

takes that first order away where y has no edge: E_p[dE/du] = E_p[dE/du - alpha A] for every alpha, and with the
alpha(u) of a diffusion, half the slope of sigma^2, the residual is one number for all y if E obeys the diffusion's
own equation (Fokker-Planck), so that its mean over q errs at second order only. alpha is found for any kernel as the
slope of dE/du on A. The trace is Hutchinson's, with two probes: A with one of them is the instrument for A with the
other, since noise in a regressor lowers its slope. Elsewhere alpha = 0. All is solved at Chebyshev nodes and
integrated. The kernel's own level score t = d/du log p(y | x; u) has mean zero for each x, and is taken as a control
variate with the beta(u) that leaves the least variance. Without it the constant of n draws errs by about sqrt(2 d/n)
for each e-fold of a normal kernel's sigma.

**Anchor.** At the largest level p is smooth, the data are many compared to its detail, and the mixture

    log q(y; u = 1)  ~  log mean_i p(y | x_i; u = 1)

is known. The constant is the mean over noised data of this plus E(y, 1).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from symdsm.learning.curves import Curve, nodes
from symdsm.learning.noise import Noise
from symdsm.learning.potentials import EnergyPotential, given

__all__ = ["anchored", "level_balanced", "mixture_log_prob"]

_LEVELS, _DRAWS, _DEGREE, _CENTRES = 48, 4096, 20, 4096
_FEW = 1024  # where Stein's identity leaves little variance


def mixture_log_prob(noise: Noise, y: Array, data: Array, u: Array) -> Array:
    """log mean_i p(y | x_i; u) of one event y over the rows x_i of `data`; scalar."""
    parts = jax.vmap(noise.log_prob, (None, 0, None))(y, data, u)
    return jax.nn.logsumexp(parts) - jnp.log(len(data))


def _draws(key, data, n):
    """n rows of each array in `data` and n keys, the same for every level so that what is measured is smooth in it."""
    rows, keys = jax.random.split(key)
    at = jax.random.randint(rows, (n,), 0, len(jax.tree.leaves(data)[0]))
    return jax.tree.map(lambda a: a[at], data), jax.random.split(keys, n)


def level_balanced(
    potential: EnergyPotential, data: Array, key: PRNGKeyArray, context: Array | None = None
) -> EnergyPotential:
    """The same energy with one normaliser for all levels, as far as noised data (and their contexts) tell."""
    edgeless = potential.noise.edgeless
    rows, keys = _draws(key, (data, context), _FEW if edgeless else _DRAWS)

    @eqx.filter_jit
    def slope(potential, u):
        def one(key, row):
            x, c = row
            y, _, target = potential.noise.dual_target(key, x, u)
            energy = given(potential, c).energy
            found, stein = jax.grad(energy, argnums=1)(y, u), jnp.zeros(2)
            if edgeless:
                stein = _stein(lambda y: jax.grad(energy)(y, u), y, jax.random.fold_in(key, 1))
            return found, target, stein

        found, known, stein = jax.lax.map(lambda a: one(*a), (keys, rows), batch_size=512)
        residual = found - _instrumented_slope(found, stein) * jnp.mean(stein, axis=1)
        beta = jnp.mean((residual - jnp.mean(residual)) * known) / jnp.mean(known**2)
        return jnp.mean(residual) - beta * jnp.mean(known)

    u = nodes(_LEVELS)
    slopes = np.asarray([slope(potential, jnp.asarray(t, data.dtype)) for t in u])
    correction = Curve.with_slope(u, -slopes, _DEGREE)
    return eqx.tree_at(lambda p: p.offset, potential, potential.offset + correction)


def _stein(gradient, y: Array, key: PRNGKeyArray) -> Array:
    """Laplace E - |grad E|^2 at y with two probes of the trace; shape (2,)."""

    def once(key):
        probe = jax.random.rademacher(key, y.shape, y.dtype)
        slope, curved = jax.jvp(gradient, (y,), (probe,))
        return jnp.sum(probe * curved) - jnp.sum(slope**2)

    return jax.vmap(once)(jax.random.split(key))


def _instrumented_slope(response: Array, twice: Array) -> Array:
    """The slope of `response` (n,) on a regressor that is seen twice with independent errors (n, 2); 0 for none."""
    first, second = (twice - jnp.mean(twice, axis=0)).T
    shared = jnp.mean(first * second)
    return jnp.where(shared > 0, jnp.mean(response * (first + second)) / 2 / jnp.where(shared > 0, shared, 1.0), 0.0)


def anchored(potential: EnergyPotential, data: Array, key: PRNGKeyArray) -> EnergyPotential:
    """The same energy with its constant set at the most noise, so that -E is a normalised log density."""
    rows, draws = jax.random.split(key)
    centres = data if len(data) <= _CENTRES else data[jax.random.permutation(rows, len(data))[:_CENTRES]]
    x, keys = _draws(draws, data, 1024)

    @eqx.filter_jit
    def gap(potential):
        one = jnp.ones((), data.dtype)

        def at(key, x):
            y = potential.noise.sample(key, x, one)
            return mixture_log_prob(potential.noise, y, centres, one) + potential.energy(y, one)

        return jnp.mean(jax.lax.map(lambda a: at(*a), (keys, x), batch_size=16))

    return eqx.tree_at(lambda p: p.offset, potential, potential.offset.shifted(-gap(potential)))
