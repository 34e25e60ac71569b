"""Chains of learned conditionals: corrupt with the kernel, draw the clean value back, whatever the kernel.

With a sampler of p(x | y; level), learned (an autoencoder with its likelihood) or exact,

    WalkBack    x <- x' ~ p(. | y; level),  y ~ p(y | x; level),  at one level, over and over
    DaeChain    x_s ~ p(. | y; level_s),  y ~ p(y | x_s; level_(s+1)),  the level falling from most noise to least

The first has the data's law as its stationary law when p(x | y) is exact, for any kernel that moves everywhere (Bengio,
Yao, Alain and Vincent 2013, theorem 1; it is the Gibbs sampler of p(x) p(y | x)). It asks for draws of p(x | y): its
mean in its place would make the chain collapse onto ridges. The second is the chain of denoising autoencoders from
noise to data, x_s ~ p_s(x_s | x_(s-1)): each link keeps the data's law where its conditional is exact, and where it is
only learned the links of much noise settle the large and those of little noise the fine, so that each is asked for
little. Both return clean values, not noised ones. Known entries are put back after each draw (`known`).

A denoiser or an autoencoder, trained by maximum likelihood with r(x | y) = N(m(y), v), becomes such a sampler by
`reconstruction`: m = fit.denoise(y, level), and v(level), entry by entry, the mean square that m misses on the examples
(the likelihood's optimum in v). It is exact where p(x | y) is normal with a fixed variance, and close at little noise.

Source: Bengio et al., Generalized denoising auto-encoders as generative models, arXiv 1305.6663 (2013).
"""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from symdsm.inference.generate_source import Source
from symdsm.inference.normals import normal

__all__ = ["DaeChain", "Reconstruction", "WalkBack", "reconstruction"]

_NODES = 25


class Reconstruction(eqx.Module):
    """x ~ N(fit.denoise(y, level), v(level)); made by `reconstruction`."""

    fit: Any
    log_variance: Array

    def sample(self, key: PRNGKeyArray, y: Array, level: Array) -> Array:
        """One draw for each event of y (*batch, *event), at one level."""
        at = jnp.clip(self.fit.levels.coordinate(level), 0.0, 1.0) * (_NODES - 1)
        low = jnp.minimum(jnp.floor(at).astype(int), _NODES - 2)
        share = at - low
        logs = (1 - share) * self.log_variance[low] + share * self.log_variance[low + 1]
        mean = self.fit.denoise(y, level)
        return mean + jnp.exp(logs / 2) * normal(key, mean.shape, mean.dtype)


def reconstruction(fit, key: PRNGKeyArray, draws: int = 1000) -> Reconstruction:
    """p(x | y) of a fit with `denoise`, its variance measured on `draws` noised examples at each level."""
    source = Source.of(fit)

    @eqx.filter_jit
    def missed(source):
        def at(args):
            key, u = args
            rows, noise = jax.random.split(key)
            x = source.examples(rows, draws)
            y = source.program.sample(noise, x, **source.params(u))
            return jnp.log(jnp.mean((x - source.fit.denoise(y, source.level(u))) ** 2, axis=0) + 1e-30)

        u = jnp.linspace(0.0, 1.0, _NODES, dtype=fit.examples.dtype)
        return jax.lax.map(at, (jax.random.split(key, _NODES), u))

    return Reconstruction(fit, missed(source))


def _drawn(posterior, source: Source, key: PRNGKeyArray, y: Array, u: Array | None) -> Array:
    if u is None:
        x = posterior.sample(key, y)
    else:
        x = posterior.sample(key, y, source.level(u))
    return source.clamped(x)


def _chain(posterior, source: Source, key: PRNGKeyArray, n: int, coordinates: Array | None, steps: int):
    """x after `steps` pairs of moves, and lost as in `descend`; without levels `coordinates` is None."""
    first, noise, move = jax.random.split(key, 3)
    u = None if coordinates is None else coordinates[0]
    y = source.program.sample(noise, source.examples(first, n), **source.params(u))
    x = _drawn(posterior, source, move, y, u)
    lost = jnp.full(n, jnp.nan, x.dtype)

    def advance(carry, at):
        x, lost = carry
        key, u = at
        corrupt, back = jax.random.split(key)
        x = _drawn(posterior, source, back, source.program.sample(corrupt, x, **source.params(u)), u)
        broken = ~jnp.isfinite(x).reshape(n, -1).all(axis=1)
        return (x, jnp.where(jnp.isnan(lost) & broken, jnp.zeros(()) if u is None else u, lost)), None

    rest = None if coordinates is None else coordinates[1:]
    (x, lost), _ = jax.lax.scan(advance, (x, lost), (jax.random.split(jax.random.fold_in(move, 1), steps), rest))
    return x, lost


class WalkBack(eqx.Module):
    """`steps` rounds at one level: u = `at` of the trained range, 0 the least noise.

    More noise moves faster and asks more of p(x | y): a normal reconstruction is right while x given y has one mode.

    `posterior` is any object with sample(key, y, level) -> x, by default the fit itself.
    """

    needs: ClassVar[tuple[str, ...]] = ("posterior",)
    inpaints: ClassVar[bool] = True
    steps: int = 200
    at: float = 0.3
    posterior: Any = None

    def draw(self, source: Source, key: PRNGKeyArray, n: int) -> tuple[Array, Array]:
        """(x, lost) of n independent chains after `steps` rounds."""
        posterior = source.fit if self.posterior is None else self.posterior
        levels = source.fit.levels
        coordinates = None if levels is None else jnp.full(self.steps + 1, self.at, source.fit.examples.dtype)
        return _chain(posterior, source, key, n, coordinates, self.steps)


class DaeChain(eqx.Module):
    """`steps` links, evenly spaced in u from the most noise to the least; `posterior` as in `WalkBack`."""

    needs: ClassVar[tuple[str, ...]] = ("posterior", "levels")
    inpaints: ClassVar[bool] = True
    steps: int = 50
    posterior: Any = None

    def draw(self, source: Source, key: PRNGKeyArray, n: int) -> tuple[Array, Array]:
        """(x, lost) of n draws after the last link."""
        posterior = source.fit if self.posterior is None else self.posterior
        coordinates = jnp.linspace(1.0, 0.0, self.steps + 1, dtype=source.fit.examples.dtype)
        return _chain(posterior, source, key, n, coordinates, self.steps)
