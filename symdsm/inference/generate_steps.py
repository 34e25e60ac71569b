"""Chains from much noise to little: one step of each method, and the loop that carries them down the levels.

    ReverseSDE           dz = [-f + (g^2)' + g^2 s] dtau + g dw, one step of a Diffrax solver; Euler-Maruyama by default
    PredictorCorrector   the same step, then Langevin steps at the level reached
    Ancestral            z ~ p(y_v | y_u, x = E[x | y_u]), the bridge of a normal kernel at the denoised value
    AnnealedLangevin     Langevin steps alone, at each level

Langevin steps are z <- z + h s + sqrt(2 h) n with h = eta / I(u), I the Fisher information per entry of the kernel at
the level: h = eta sigma^2 for Gaussian noise, and the same size relative to the noise for every other. They are not
adjusted: on a normal of variance v the stationary variance is v / (1 - h/(2 v)), so the bias is at most eta/2.

Levels are visited on a grid even in (u + l(u))/2, l the logarithm of the information scaled to [0, 1]: evenly in u for
a geometric range of standard deviations, and with more of the steps at little noise for a diffusion even in time. All
of a batch move together; draws that are no longer finite are counted, with the level where it happened.

Sources: Song et al., arXiv 2011.13456 (2021), algorithms 1 to 3; Ho, Jain and Abbeel, arXiv 2006.11239 (2020); Song and
Ermon, arXiv 1907.05600 (2019); Diffrax: Kidger, On neural differential equations (2021).
"""

from collections.abc import Callable
from typing import ClassVar

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, PRNGKeyArray

from symdsm.inference.generate_source import Source
from symdsm.inference.normals import normal

__all__ = ["Ancestral", "AnnealedLangevin", "PredictorCorrector", "ReverseSDE", "descend", "grid"]

_NODES = 33
Step = Callable[[PRNGKeyArray, Array, Array, Array], Array]


def grid(source: Source, key: PRNGKeyArray, steps: int) -> Array:
    """Coordinates from 1 down to 0, steps + 1 of them."""
    u = jnp.linspace(0.0, 1.0, _NODES)
    logs = jnp.log(jax.lax.map(lambda t: source.information(key, t), u))
    fallen = jnp.maximum(jnp.cumsum(jnp.maximum(-jnp.diff(logs), 0.0)), 1e-6)
    clock = (u + jnp.concatenate([jnp.zeros(1), fallen / fallen[-1]])) / 2
    return jnp.interp(jnp.linspace(1.0, 0.0, steps + 1), clock, u)


def descend(step: Step, source: Source, key: PRNGKeyArray, z: Array, coordinates: Array) -> tuple[Array, Array]:
    """(z, lost): z carried down `coordinates` by `step(key, z, u, v)`; lost, per draw, the u where it broke or NaN."""

    def advance(carry, at):
        z, lost = carry
        u, v, key = at
        own, noise = jax.random.split(key)
        z = source.held(noise, step(own, z, u, v), v)
        broken = ~jnp.isfinite(z).reshape(len(z), -1).all(axis=1)
        return (z, jnp.where(jnp.isnan(lost) & broken, v, lost)), None

    keys = jax.random.split(key, len(coordinates) - 1)
    lost = jnp.full(len(z), jnp.nan, z.dtype)
    (z, lost), _ = jax.lax.scan(advance, (z, lost), (coordinates[:-1], coordinates[1:], keys))
    return z, lost


def langevin(source: Source, key: PRNGKeyArray, z: Array, u: Array, eta: float, count: int) -> Array:
    """`count` unadjusted Langevin steps at u."""
    h = eta / source.information(jax.random.fold_in(key, count), u)

    def move(z, key):
        return z + h * source.score(z, u) + jnp.sqrt(2 * h) * normal(key, z.shape, z.dtype), None

    return jax.lax.scan(move, z, jax.random.split(key, count))[0]


class _Increment(dfx.AbstractBrownianPath):
    """The Brownian increment of one step, for solvers that ask for it once and for nothing else."""

    like: jax.ShapeDtypeStruct = eqx.field(static=True)
    key: PRNGKeyArray
    levy_area: type = eqx.field(static=True, default=dfx.BrownianIncrement)
    t0 = property(lambda self: -jnp.inf)
    t1 = property(lambda self: jnp.inf)

    def evaluate(self, t0, t1=None, left=True, use_levy=False):
        """sqrt(t1 - t0) n, with its duration where that is asked for."""
        w = jnp.sqrt(t1 - t0) * normal(self.key, self.like.shape, self.like.dtype)
        return dfx.BrownianIncrement(dt=t1 - t0, W=w) if use_levy else w


def _diffuse(solver: dfx.AbstractSolver, source: Source, key: PRNGKeyArray, z: Array, u: Array, v: Array) -> Array:
    """One step of the reverse diffusion from u to v < u, in the time tau = 1 - u."""
    vector = source.vector
    g = source.diffusion(z, u)
    shape = z.shape[:-1] + g.shape[-1:] if vector else z.shape
    like = jax.ShapeDtypeStruct(shape, z.dtype)
    if hasattr(solver, "minimal_levy_area"):
        path = dfx.UnsafeBrownianPath(like, key, levy_area=dfx.SpaceTimeTimeLevyArea)
    else:
        path = _Increment(like, key)

    def noise(tau, z, args):
        g = source.diffusion(z, 1.0 - tau)
        if not vector:
            return lx.DiagonalLinearOperator(jnp.broadcast_to(g, z.shape))
        return lx.FunctionLinearOperator(
            lambda w: jnp.einsum("...ij,...j->...i", g, w), jax.ShapeDtypeStruct(shape, z.dtype)
        )

    drift = dfx.ODETerm(lambda tau, z, args: source.reverse(z, 1.0 - tau))
    terms = dfx.MultiTerm(drift, dfx.ControlTerm(noise, path))
    state = solver.init(terms, 1.0 - u, 1.0 - v, z, None)
    return solver.step(terms, 1.0 - u, 1.0 - v, z, None, state, made_jump=False)[0]


class ReverseSDE(eqx.Module):
    """The diffusion run backwards. `solver` is any Diffrax solver for Ito equations with additive noise."""

    needs: ClassVar[tuple[str, ...]] = ("score", "levels", "diffusion")
    inpaints: ClassVar[bool] = True
    steps: int = 500
    solver: dfx.AbstractSolver = dfx.Euler()

    def draw(self, source: Source, key: PRNGKeyArray, n: int) -> tuple[Array, Array]:
        """(z, lost) of n draws at the least noise."""
        first, clock, move = jax.random.split(key, 3)

        def step(key, z, u, v):
            return _diffuse(self.solver, source, key, z, u, v)

        z = source.start(first, n, jnp.ones(()))
        return descend(step, source, move, z, grid(source, clock, self.steps))


class PredictorCorrector(eqx.Module):
    """A reverse step, then `corrections` Langevin steps with h = eta / I at the level reached."""

    needs: ClassVar[tuple[str, ...]] = ("score", "levels", "diffusion")
    inpaints: ClassVar[bool] = True
    steps: int = 300
    corrections: int = 2
    eta: float = 0.1

    def draw(self, source: Source, key: PRNGKeyArray, n: int) -> tuple[Array, Array]:
        """(z, lost) of n draws at the least noise."""
        first, clock, move = jax.random.split(key, 3)

        def step(key, z, u, v):
            predict, correct = jax.random.split(key)
            z = _diffuse(dfx.Euler(), source, predict, z, u, v)
            return langevin(source, correct, z, v, self.eta, self.corrections)

        z = source.start(first, n, jnp.ones(()))
        return descend(step, source, move, z, grid(source, clock, self.steps))


class Ancestral(eqx.Module):
    """The bridge of a normal kernel at the denoised value; its own noise is the smaller choice of Ho et al."""

    needs: ClassVar[tuple[str, ...]] = ("score", "levels", "bridge")
    inpaints: ClassVar[bool] = True
    steps: int = 500

    def draw(self, source: Source, key: PRNGKeyArray, n: int) -> tuple[Array, Array]:
        """(z, lost) of n draws at the least noise."""
        first, clock, move = jax.random.split(key, 3)
        program = source.program

        def step(key, z, u, v):
            x = program.denoise(z, source.marginal_score(z, u), **source.params(u))
            mean, sd = program.bridge(z, x, source.level(v), **source.params(u))
            return mean + sd * normal(key, z.shape, z.dtype)

        z = source.start(first, n, jnp.ones(()))
        return descend(step, source, move, z, grid(source, clock, self.steps))


class AnnealedLangevin(eqx.Module):
    """Langevin dynamics, `inner` moves with h = eta / I at each of `steps` levels; for any kernel with levels."""

    needs: ClassVar[tuple[str, ...]] = ("score", "levels", "line")
    inpaints: ClassVar[bool] = True
    steps: int = 200
    inner: int = 10
    eta: float = 0.2

    def draw(self, source: Source, key: PRNGKeyArray, n: int) -> tuple[Array, Array]:
        """(z, lost) of n draws at the least noise."""
        first, clock, move = jax.random.split(key, 3)

        def step(key, z, u, v):
            return langevin(source, key, z, v, self.eta, self.inner)

        z = source.start(first, n, jnp.ones(()))
        return descend(step, source, move, z, grid(source, clock, self.steps))
