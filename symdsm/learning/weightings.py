r"""How much each level counts, and where levels are drawn.

With J(u) the score matching loss at the level coordinate u, J(u) = E 1/2 ||s(y, u) - grad log p(y | x; u)||^2,
training minimises

    integral_0^1 w(u) J(u) du / integral_0^1 w(u) I(u) du,        I(u) = E_x I_y(x; u)

    fisher        w = 1 / I(u)                            every level starts at the same loss
    likelihood    w = g(t)^2 |dt/du|,  t = level(u)       bounds the log likelihood, for kernels dy = f dt + g(t) dw
    uniform       w = 1
    callable      w = weighting(level(u))

I(u) is averaged over the data: no weight knows the clean value, because w(x) would move the minimiser to
E[w D log p | y] / E[w | y]. Objectives divide by I(u) themselves (`Objective.log_size`), so here r = w I is
multiplied.

**Importance.** With levels drawn from a density pi(u) and the loss divided by it the mean is the same, and the
gradient's variance is least for pi(u) ~ sqrt(E ||d loss(u) / d theta||^2). That is measured on the untrained network
in bins and mixed with a tenth of the uniform density, so that no weight is above 10. Training draws u by its inverse
distribution function, v -> u(v), and multiplies by du/dv = 1/pi(u).

Song, Durkan, Murray & Ermon, Maximum likelihood training of score-based diffusion models (2021), arXiv 2101.09258,
for likelihood; Owen, Monte Carlo theory, methods and examples (2013), 9.1 and 9.11, for importance.
"""

from collections.abc import Callable
from dataclasses import replace
from inspect import signature

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from symdsm.errors import DerivationError, ParameterError
from symdsm.learning.arrays import array_digest
from symdsm.learning.levels import Levels
from symdsm.learning.objective import Objective
from symdsm.learning.potentials import Potential, given

__all__ = ["LevelDraws", "important_levels", "weighted", "weighting_name"]

Weighting = str | Callable[[Array], Array]

_NODES, _BINS, _PILOT, _UNIFORM_SHARE = 257, 32, 64, 0.1


def _likelihood(potential: Potential) -> Callable[[Array], Array]:
    noise, scaling = potential.noise, potential.scaling
    places = jnp.stack([jnp.ravel(v) for v in (scaling.centre, scaling.low, scaling.high)])

    def everywhere(u):
        return noise.program.diffusion(places, **noise.at(u))

    try:
        found = None if noise.coupled else np.asarray(everywhere(jnp.asarray(0.5, places.dtype)))
    except DerivationError as error:
        raise _no_speed("is not known") from error
    if found is None or not np.allclose(found, found.flat[0], rtol=1e-4):
        raise _no_speed("is a matrix" if noise.coupled else "is not the same at every noisy value")

    def weight(u):
        slope = jax.jvp(noise.levels.at, (u,), (jnp.ones_like(u),))[1]
        return everywhere(u)[0, 0] ** 2 * jnp.abs(slope)

    return weight


def _no_speed(why: str) -> DerivationError:
    return DerivationError(
        given=f'weighting="likelihood" for a kernel whose diffusion {why}',
        expected="one g(t) for every entry: kernels from a linear scalar SDE, normal noise about a linear mean",
        fix='use weighting="fisher", or give the weight as a function of the level',
    )


def _uniform(potential: Potential) -> Callable[[Array], Array]:
    return jnp.ones_like


_NAMED = {"likelihood": _likelihood, "uniform": _uniform}


def weighted(objective: Objective, weighting: Weighting, potential: Potential) -> Objective:
    """`objective` with its levels weighted; itself for "fisher", and for a kernel without a level.

    Raises `ParameterError` for an unknown name, or weights that are not positive numbers; `DerivationError` for
    "likelihood" with a kernel that has no diffusion, or one that depends on y.
    """
    noise = potential.noise
    if weighting == "fisher":
        return objective
    if not callable(weighting) and weighting not in _NAMED:
        raise ParameterError(
            given=f"weighting={weighting!r}",
            expected='"fisher", "likelihood", "uniform", or a function of the level',
            fix="leave it out, or pass weighting=lambda level: level**2, say",
        )
    if noise.levels is None:
        raise ParameterError(
            given=f"weighting={weighting!r} for a kernel without a level",
            expected="a kernel with levels to weight",
            fix="leave weighting out, or declare the kernel with level=...",
        )
    if callable(weighting):
        _check_arguments(weighting)
    weight = (lambda u: weighting(noise.levels.at(u))) if callable(weighting) else _NAMED[weighting](potential)

    def relative(u):
        return weight(u) * jnp.exp(objective.log_size(potential, u))

    grid = jnp.linspace(0.0, 1.0, _NODES, dtype=potential.scaling.centre.dtype)
    values = np.asarray(jax.vmap(relative)(grid))
    if values.shape != grid.shape or not (np.isfinite(values) & (values > 0)).all():
        raise ParameterError(
            given=f"weights from {np.min(values):.4g} to {np.max(values):.4g} over the levels, of shape {values.shape}",
            expected="one positive number for each level",
            fix="let weighting(level) return a positive scalar",
        )
    total = float(np.trapezoid(values, grid))

    def loss(potential, key, x, u):
        return objective.loss(potential, key, x, u) * relative(u) / total

    return replace(objective, loss=loss)


def _check_arguments(weighting: Callable) -> None:
    try:
        signature(weighting).bind(1.0)
    except TypeError as error:
        raise ParameterError(
            given=f"a weighting that cannot be called with the level alone ({error})",
            expected="weighting(level): a weight that knows the clean value x moves the minimiser away from the score, "
            "to E[w score | y]/E[w | y]",
            fix="pass weighting=lambda level: level**2, say",
        ) from None


def weighting_name(weighting: Weighting, levels: Levels | None) -> str:
    """The name, or for a function a digest of its values: what tells two training runs apart."""
    if isinstance(weighting, str):
        return weighting
    return array_digest(np.asarray(jax.vmap(weighting)(levels.grid(64))))


class LevelDraws(eqx.Module):
    """u(v), piecewise linear, for v uniform on [0, 1]; in bin j of [0, 1] the density of u is shares[j] / mean."""

    shares: Array

    def __call__(self, v: Array) -> tuple[Array, Array]:
        """(u, 1 / density of u), of v's shape."""
        ends = jnp.concatenate([jnp.zeros(1, v.dtype), jnp.cumsum(self.shares)]) / jnp.sum(self.shares)
        edges = jnp.linspace(0.0, 1.0, len(ends), dtype=v.dtype)
        cell = jnp.clip(jnp.searchsorted(ends, v, side="right") - 1, 0, len(self.shares) - 1)
        slope = 1.0 / (len(self.shares) * self.shares[cell] / jnp.sum(self.shares))
        return edges[cell] + (v - ends[cell]) * slope, slope


def important_levels(
    objective: Objective, potential: Potential, data: Array, key: PRNGKeyArray, context: Array | None = None
) -> LevelDraws:
    """Levels drawn as often as their gradients are large; see the module."""
    dtype = potential.scaling.centre.dtype
    params, rest = eqx.partition(potential.net, eqx.is_inexact_array)
    rows, noise = jax.random.split(key)
    at = jax.random.randint(rows, (_PILOT,), 0, len(data))
    pilot = jax.tree.map(lambda a: a[at], (data, context))
    keys = jax.random.split(noise, _PILOT)

    def loss(params, key, row, u):
        trained = eqx.tree_at(lambda p: p.net, potential, eqx.combine(params, rest))
        x, c = row
        return objective(given(trained, c), key, x, u)

    @jax.jit
    def size(u):
        slopes = jax.vmap(jax.grad(loss), (None, 0, 0, None))(params, keys, pilot, u)
        return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(slopes)) / _PILOT)

    middles = (jnp.arange(_BINS, dtype=dtype) + 0.5) / _BINS
    sizes = jnp.stack([size(u) for u in middles])
    return LevelDraws((1.0 - _UNIFORM_SHARE) * sizes / jnp.mean(sizes) + _UNIFORM_SHARE)
