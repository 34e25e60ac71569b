r"""The denoising autoencoder: reconstruct the clean event x from the noisy one, x ~ r( . | g(f(y, u), u)).

    J = E [ -log r(x | m(y, u)) ],     m = g(f(y)), f the encoder, g the decoder

With r = N(m, v I) this is E ||x - m||^2 / (2 v) + const, whose minimiser is m = E[x | y], whatever v is. The same holds
for every r whose slope in m is affine in x and vanishes at x = m: Bernoulli, Poisson and exponential laws in their
mean, for instance (Banerjee, Guo & Wang, IEEE Transactions on Information Theory 51, 2005). Other laws give another
point of p(x | y), the Laplace law its median.

The score follows from m where it is E[x | y] and grad log p(y | x; u) is affine in x: it is the kernel's score at
x = m, for Gaussian noise (m - y)/sigma^2, so that the autoencoder and dsm agree (Vincent 2011; Alain & Bengio, JMLR 15,
2014). For other kernels m reconstructs, and there is no score.

The Gaussian's v is the mean square that the best linear reconstruction leaves at this level, so that the loss starts at
1/2 for each level and entry; the weights of `symdsm.learning.weightings` multiply ||x - m||^2 / 2, or -log r.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from symdsm.errors import ParameterError
from symdsm.learning.networks import AbstractDenoiser
from symdsm.learning.objective import Objective
from symdsm.learning.potentials import DenoiserPotential

__all__ = ["Autoencoder", "aims_at_mean", "dae"]


def dae(likelihood=None) -> Objective:
    """Reconstruction by maximum likelihood; `likelihood(x, m)` is log r(x | m) of one event, Gaussian by default.

    `x` and `m` have the event's shape, the value is a scalar, and factors without m may be missing. Raises
    `ParameterError` for anything that is not a function.
    """
    if likelihood is None:
        return Objective("dae", _gaussian, log_size=_log_residue, reconstructs=True)
    if not callable(likelihood):
        raise ParameterError(
            given=f"likelihood={likelihood!r}",
            expected="a function of (x, m), the log density of the clean event x given its reconstruction m",
            fix="pass sd.objectives.dae(lambda x, m: -jnp.sum(jnp.abs(x - m))) for a Laplace law, say",
        )

    def loss(potential: DenoiserPotential, key: PRNGKeyArray, x: Array, u: Array) -> Array:
        return -likelihood(x, potential.denoise(potential.noise.sample(key, x, u), u))

    return Objective("dae", loss, log_size=_nothing, reconstructs=True, likelihood=likelihood)


def _log_residue(potential: DenoiserPotential, u: Array) -> Array:
    return jnp.log(jnp.mean(jnp.exp(2.0 * potential.log_residue(u))))


def _nothing(potential: DenoiserPotential, u: Array) -> Array:
    return jnp.zeros_like(u)


def _gaussian(potential: DenoiserPotential, key: PRNGKeyArray, x: Array, u: Array) -> Array:
    miss = x - potential.denoise(potential.noise.sample(key, x, u), u)
    return 0.5 * jnp.sum(miss**2) * jnp.exp(-_log_residue(potential, u))


def aims_at_mean(objective: Objective, data: Array) -> bool:
    """Whether the likelihood's slope in m is affine in x and zero at x = m, tried on rows of the data."""
    if objective.likelihood is None:
        return True
    slope = jax.grad(objective.likelihood, argnums=1)
    rows = np.random.default_rng(0).integers(0, len(data), (64, 4))

    @jax.vmap
    def misses(four):
        a, b, m = four[0], four[1], 0.5 * (four[2] + four[3])
        ends = slope(a, m), slope(b, m)
        size = jnp.max(jnp.abs(jnp.stack(ends))) + 1e-30
        bend = slope(0.7 * a + 0.3 * b, m) - (0.7 * ends[0] + 0.3 * ends[1])
        return jnp.max(jnp.abs(jnp.stack([bend, slope(m, m)]))) / size

    worst = float(jnp.max(misses(data[rows])))
    return worst < 1e-3


class Autoencoder(AbstractDenoiser):
    """g(f(v, u), u) through a code of `latent` numbers; for `objective="dae"`.

    `encoder` maps the event and the level to the code, `decoder` the code and the level to the event; its result is
    scaled and added to the best linear reconstruction (symdsm.learning.potentials), so that a code of any size
    suffices at the start.

    **Arguments**: `event_shape`, `latent`, `key`, and `width` and `depth` of both networks. Any other pair is a
    subclass of `AbstractDenoiser`. Raises `ParameterError` for a latent below one.
    """

    event_shape: tuple[int, ...] = eqx.field(static=True)
    encoder: eqx.nn.MLP
    decoder: eqx.nn.MLP

    def __init__(
        self, event_shape: tuple[int, ...], latent: int, *, key: PRNGKeyArray, width: int = 128, depth: int = 2
    ):
        if latent < 1:
            raise ParameterError(given=f"latent={latent}", expected="a code of at least one number", fix="latent=2")
        self.event_shape = tuple(event_shape)
        size, (into, out) = math.prod(self.event_shape), jax.random.split(key)
        self.encoder = eqx.nn.MLP(size + 1, latent, width, depth, jax.nn.silu, key=into)
        self.decoder = eqx.nn.MLP(latent + 1, size, width, depth, jax.nn.silu, key=out)

    def encode(self, x: Array, level: Array) -> Array:
        """The code of one noisy event in the network's units; shape (latent,)."""
        return self.encoder(jnp.append(jnp.ravel(x), level))

    def __call__(self, x: Array, level: Array) -> Array:
        """The reconstruction from the code of one noisy event x at one level coordinate; of x's shape."""
        return self.decoder(jnp.append(self.encode(x, level), level)).reshape(self.event_shape)
