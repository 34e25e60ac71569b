r"""Score matching as a factor of a NumPyro program.

    numpyro.factor(name, -weight * sum_b l(x_b)),        l the objective of one clean value (symdsm.learning.objectives)

with the network's weights as parameters of the program, so that `SVI` trains it together with everything else. No
gradient passes through x or the kernel's parameters: J_DSM = J_ESM - C, and C depends on both (Vincent 2011), so its
gradient there would pull x to where the noise is easy to tell, not to where the density is.

In a program whose ELBO trains encoder and decoder of latents z, the site learns the density of the aggregate
posterior of z.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpyro
from jax import lax, random
from jaxtyping import Array, ArrayLike, PRNGKeyArray
from numpyro.contrib.module import eqx_module, random_eqx_module
from numpyro.infer.svi import SVIRunResult

from symdsm.errors import ParameterError, ShapeError
from symdsm.learning import checks
from symdsm.learning.fit import EXAMPLES, finished, prepared
from symdsm.learning.fitted import Fit
from symdsm.learning.history import History
from symdsm.learning.levels import Levels
from symdsm.learning.networks import on_circle
from symdsm.learning.objectives import Objective, objective_named
from symdsm.learning.potentials import Potential

__all__ = ["fit_from_site", "score_matching_site"]


def score_matching_site(
    name: str,
    net: eqx.Module,
    kernel,
    x: Array,
    *,
    levels: Levels | None = None,
    objective: str | Objective = "dsm",
    params: Mapping[str, Any] | None = None,
    like: ArrayLike | None = None,
    weight: float = 1.0,
    prior=None,
) -> Potential:
    """Train `net` on `x` (*batch, *event) inside the program; returns the network with its scales (energy, score).

    `levels`, `objective` and `params` are those of `sd.fit`; parameters may be sites of the program. `like` (rows,
    *event) are typical clean values, from which the scales of input and output are measured once; without it
    standard normal ones, the usual scale of latents. `weight` multiplies the loss. The weights are the parameter
    "{name}$params", or random with `prior`, as in `numpyro.contrib.module.random_eqx_module`. Under a subsampling
    plate the factor is scaled as an observation is.

    Raises what `sd.fit` raises; ShapeError when x and the network disagree; ParameterError without a random key.
    """
    live = {k: lax.stop_gradient(jnp.asarray(v)) for k, v in (params or {}).items()}
    potential, _ = _untrained(net, kernel, levels, objective, live, like, jnp.asarray(x).dtype)
    rows = _rows(net, x)
    key = numpyro.prng_key()
    if key is None:
        raise ParameterError(
            given="score_matching_site in a program that runs without a random key",
            expected="fresh noise at every evaluation, as numpyro.infer.SVI gives it",
            fix="train with SVI, or run the program under numpyro.handlers.seed(program, key)",
        )
    net = potential.net
    trained = eqx_module(name, net) if prior is None else random_eqx_module(name, net, prior)
    potential = eqx.tree_at(lambda p: (p.net, p.noise.params), potential, (trained, live))
    shift, noise = random.split(key)
    u = ((jnp.arange(len(rows)) + random.uniform(shift)) / len(rows)).astype(rows.dtype)
    losses = jax.vmap(partial(objective_named(objective), potential))(random.split(noise, len(rows)), rows, u)
    batch = jnp.shape(x)[: jnp.ndim(x) - len(net.event_shape)]
    numpyro.factor(name, -weight * losses.reshape(batch))
    return potential


def fit_from_site(
    values: Mapping[str, Any] | SVIRunResult,
    name: str,
    net: eqx.Module,
    kernel,
    data: ArrayLike,
    *,
    key: PRNGKeyArray,
    levels: Levels | None = None,
    objective: str | Objective = "dsm",
    params: Mapping[str, Any] | None = None,
    like: ArrayLike | None = None,
) -> Fit:
    """The `Fit` of a site, from what SVI returned (its result or `result.params`), or from one draw of random weights.

    `net`, `levels`, `objective` and `like` as at the site, `params` at their final values; `data` (rows, *event) are
    clean values, for instance final draws of the latents: they settle the normaliser of a dual fit and serve the
    samplers as starting points.

    Raises ParameterError when `values` has no such site, and what `sd.fit` raises.
    """
    net = net if getattr(kernel, "period", None) is None else on_circle(net, True, key)
    trained = _weights(getattr(values, "params", values), name, net)
    clean = jnp.asarray(checks.check_data(data), float)
    potential, affine = _untrained(net, kernel, levels, objective, dict(params or {}), like, clean.dtype)
    potential = eqx.tree_at(lambda p: p.net, potential, trained)
    rows = random.permutation(key, len(clean))[:EXAMPLES]
    return Fit(
        potential=finished(potential, objective_named(objective), clean, key),
        examples=clean[rows],
        kernel=kernel,
        objective=objective_named(objective).name,
        history=History(),
        interrupted=False,
        unchecked=False,
        affine=affine,
    )


def _weights(values: Mapping[str, Any], name: str, net: eqx.Module) -> eqx.Module:
    """The network with its weights from the parameter "{name}$params", or leaf by leaf from the sites "{name}/..."."""
    free, static = eqx.partition(net, eqx.is_inexact_array)
    registered = values.get(f"{name}$params", free)
    places = jax.tree.map_with_path(lambda path, _: f"{name}/{jax.tree_util.keystr(path)[1:]}", free)
    if f"{name}$params" not in values and not set(jax.tree.leaves(places)) <= set(values):
        raise ParameterError(
            given=f"parameters {', '.join(sorted(values)) or '(none)'}",
            expected=f"'{name}$params', which the site {name!r} registers, or one site for each random weight",
            fix="pass the result of numpyro.infer.SVI.run, or one posterior draw, and the site's name",
        )
    return eqx.combine(jax.tree.map(lambda place, leaf: values.get(place, leaf), places, registered), static)


def _untrained(net, kernel, levels, objective, params, like, dtype) -> tuple[Potential, bool]:
    """The potential with scales measured on `like`, at concrete values of the parameters, also under a trace."""
    if isinstance(like, jax.core.Tracer):
        raise ParameterError(
            given="like= that is an argument or a site of the program",
            expected="an array from outside, because the scales are measured once, before training",
            fix="build `like` before the program runs: like = data[:1000], and let the program close over it",
        )
    traced = sorted(k for k, v in params.items() if isinstance(v, jax.core.Tracer))
    with jax.ensure_compile_time_eval():
        shown = {k: jnp.ones(jnp.shape(v)) if k in traced else v for k, v in params.items()}
        if like is None:
            like = random.normal(random.key(0), (1024, *net.event_shape))
        rows = jnp.asarray(checks.check_data(like), dtype)
        keys = random.split(random.key(1))
        objective = objective_named(objective)
        return prepared(net, rows, kernel, keys, levels=levels, objective=objective, params=shown, unchecked=False)


def _rows(net, x) -> Array:
    ndim = len(net.event_shape)
    shape = jnp.shape(x)
    if len(shape) <= ndim or shape[len(shape) - ndim :] != tuple(net.event_shape):
        raise ShapeError(
            given=f"clean values of shape {shape}",
            expected=f"(*batch, {', '.join(map(str, net.event_shape))}), as the network takes them",
            fix="put the batch in front, or build the network with the event_shape of the values",
        )
    return lax.stop_gradient(jnp.asarray(x)).reshape(-1, *net.event_shape)
