"""From a network to a density, a score or a denoiser in data coordinates.

With the scales of `symdsm.learning.scaling` (v the noisy event in its own units, w and m the tail's weight
and centre):

    energy      E(y, u) = -w(u) log p(y | m; u) + gain(u) * net(v, u) + offset(u)
    score       s(y, u) = w(u) grad log p(y | m; u) + spread(u) * net(v, u)
    denoiser    D(y, u) = m + skip(u) (y - location(u)) + residue(u) * net(v, u),   s(y, u) = grad log p(y |
    D; u)

The energy is coercive whenever the kernel is: v is bounded, hence so is the network's part, and far out only
the kernel's own tail is left. `offset` is a function of the level alone; `symdsm.learning.normalise` settles
it.

The denoiser's score is exact at its optimum when grad log p(y | x) is affine in x, since then
E[grad log p(y | x) | y] = grad log p(y | E[x | y]).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from symdsm.learning.curves import Curve
from symdsm.learning.networks import AbstractDenoiser, AbstractEnergy, AbstractScore
from symdsm.learning.noise import Noise
from symdsm.learning.scaling import Scaling, linear_estimate, pooled

__all__ = [
    "DenoiserPotential",
    "EnergyPotential",
    "Given",
    "Potential",
    "ScorePotential",
    "alike",
    "given",
    "posterior_mean",
    "potential_of",
]


class EnergyPotential(eqx.Module):
    """E(y, u), its gradient and its derivative in the level."""

    net: AbstractEnergy
    noise: Noise
    scaling: Scaling
    offset: Curve

    def energy(self, y: Array, u: Array) -> Array:
        """E(y, u); scalar."""
        v = self.scaling.inputs(y, u)
        return self.scaling.tail(self.noise, y, u) + self.scaling.gain(u) * self.net(v, u) + self.offset(u)

    def score(self, y: Array, u: Array) -> Array:
        """-dE/dy, of y's shape."""
        return -jax.grad(self.energy)(y, u)

    def scores(self, y: Array, u: Array) -> tuple[Array, Array]:
        """(-dE/dy, -dE/du) in one sweep."""
        dy, du = jax.grad(self.energy, argnums=(0, 1))(y, u)
        return -dy, -du


class ScorePotential(eqx.Module):
    """s(y, u) without an energy."""

    net: AbstractScore
    noise: Noise
    scaling: Scaling

    def score(self, y: Array, u: Array) -> Array:
        """s(y, u), of y's shape."""
        v = self.scaling.inputs(y, u)
        return self.scaling.tail_score(self.noise, y, u) + jnp.exp(self.scaling.log_spread(u)) * self.net(v, u)


class DenoiserPotential(eqx.Module):
    """D(y, u) and the score that it stands for."""

    net: AbstractDenoiser
    noise: Noise
    scaling: Scaling
    skip: Curve
    log_residue: Curve

    def denoise(self, y: Array, u: Array) -> Array:
        """D(y, u), of y's shape."""
        linear = self.scaling.centre + self.skip(u) * (y - self.scaling.location(u))
        return linear + jnp.exp(self.log_residue(u)) * self.net(self.scaling.inputs(y, u), u)

    def score(self, y: Array, u: Array) -> Array:
        """grad log p(y | D(y, u); u)."""
        return self.noise.score(y, self.denoise(y, u), u)


Potential = EnergyPotential | ScorePotential | DenoiserPotential


class Given(eqx.Module):
    """A network with its context put in: net(v, u, context) as a function of (v, u)."""

    net: eqx.Module
    context: Array

    @property
    def event_shape(self) -> tuple[int, ...]:
        """That of the network."""
        return self.net.event_shape

    def __call__(self, x: Array, level: Array) -> Array:
        """What the network returns for this context."""
        return self.net(x, level, self.context)


def given(potential: Potential, context: Array | None) -> Potential:
    """The potential of q(. | context), the context standardised; the potential itself when there is none."""
    if context is None:
        return potential
    seen = (context - potential.scaling.context_centre) / potential.scaling.context_scale
    return eqx.tree_at(lambda p: p.net, potential, Given(potential.net, seen))


def alike(potential: Potential) -> Potential:
    """The potential with the same scales for all members of an exchangeable event."""
    members = potential.net.event_shape[0]
    scales = [pooled(potential.scaling, members)]
    if isinstance(potential, DenoiserPotential):
        scales += [pooled(curve, members) for curve in (potential.skip, potential.log_residue)]
        return eqx.tree_at(lambda p: (p.scaling, p.skip, p.log_residue), potential, tuple(scales))
    return eqx.tree_at(lambda p: p.scaling, potential, scales[0])


def posterior_mean(noise: Noise, score: Array, y: Array, start: Array, u: Array) -> Array:
    """The x that solves grad log p(y | x; u) = score, for kernels whose score is affine in x.

    One Newton step from any `start`, since the equation is linear; its solution is E[x | y] when `score` is
    grad log q(y). Elementwise kernels have a diagonal slope, coupled ones a matrix.
    """

    def conditional(x):
        return noise.score(y, x, u)

    if not noise.coupled:
        value, slope = jax.jvp(conditional, (start,), (jnp.ones_like(start),))
        return start + (score - value) / slope
    slope = jax.jacfwd(conditional)(start).reshape(y.size, start.size)
    return start + jnp.linalg.solve(slope, jnp.ravel(score - conditional(start))).reshape(start.shape)


def potential_of(net: eqx.Module, noise: Noise, scaling: Scaling, data: Array, key: PRNGKeyArray) -> Potential:
    """The potential that the network's type asks for; denoisers get their linear estimate measured here."""
    if isinstance(net, AbstractEnergy):
        return EnergyPotential(net, noise, scaling, Curve(jnp.zeros(1, data.dtype)))
    if isinstance(net, AbstractScore):
        return ScorePotential(net, noise, scaling)
    skip, residue = linear_estimate(noise, data, key)
    return DenoiserPotential(net, noise, scaling, skip, residue)
