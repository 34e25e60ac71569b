"""A NumPyro program as a function of one flat vector and the level's coordinate.

All latent sites, mapped to the real line by NumPyro's own transforms (log-Jacobians included), are stacked into one
vector theta; the level's coordinate u sets every latent learned prior to its own `levels.at(max(u, 0))`. An observed
learned prior stays at its lowest level, and a prior whose level is given (by the program or by a `noise_level` handler
around the call) stays there. What the likelihood says at a level is in `likelihood.py`.

`staged` turns a function into its jaxpr with the constants (data, network weights) pulled out as arguments, and a text
that says everything else. Two functions with one text are the same program on other numbers, so the text is the key
under which compiled samplers are kept: a second observation of the same shape compiles nothing, and a program that
changed is never served by old code.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpyro
from jax import random
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, ArrayLike, PRNGKeyArray
from numpyro import handlers
from numpyro.distributions import biject_to
from numpyro.infer import init_to_uniform
from numpyro.infer.util import constrain_fn, potential_energy

from symdsm.errors import DataError, SamplingError, ShapeError
from symdsm.inference.handlers import find_learned, noise_level
from symdsm.inference.likelihood import Path
from symdsm.inference.priors import noised
from symdsm.inference.scores import LearnedScore, scores_allowed
from symdsm.inference.supports import admits

__all__ = ["Target", "staged"]

TRIES = 8


def staged(fn: Callable, *example) -> tuple[str, list, Callable]:
    """(text, constants, pure) with pure(constants, *args) == fn(*args); the example fixes shapes and dtypes."""
    closed, shape = jax.make_jaxpr(fn, return_shape=True)(*example)
    treedef = jax.tree.structure(shape)

    def pure(constants, *args):
        flat = jax.core.eval_jaxpr(closed.jaxpr, constants, *jax.tree.leaves(args))
        return jax.tree.unflatten(treedef, flat)

    return f"{closed.jaxpr}{treedef}", list(map(jnp.asarray, closed.consts)), pure


class Target:
    """The log joint of `program(*args, **kwargs)` and the way back from flat vectors to named sites.

    `priors` maps the latent sites with a learned prior to it, `learned` those among them whose level is free; `scores`
    names those with a score alone; `observed` maps observed sites to their values; `size` is the length of theta.
    Raises `ShapeError`, `DataError` or `SamplingError` for a program that cannot be sampled, naming the site.
    """

    def __init__(self, program: Callable, args: tuple, kwargs: dict, init: dict[str, Array], likelihood: str):
        self.program, self.args, self.kwargs, self.init = program, args, kwargs, init
        trace = self.cold_trace(random.key(0))
        sites = {name: site for name, site in trace.items() if site["type"] == "sample"}
        self.latent = {name: site for name, site in sites.items() if not site["is_observed"]}
        self.observed_sites = {name: site for name, site in sites.items() if site["is_observed"]}
        self.observed = {name: site["value"] for name, site in self.observed_sites.items()}
        for name, site in sites.items():
            _check_site(name, site)
        unknown = sorted(set(init) - set(self.latent))
        if unknown or not self.latent:
            raise SamplingError(
                given=f"init for {', '.join(unknown)}" if unknown else "a program without a latent site",
                expected=f"latent sites: {', '.join(self.latent) or 'at least one'}",
                fix="name latent sites of the program in init" if unknown else "leave at least one site unobserved",
            )
        priors = {name: find_learned(site["fn"]) for name, site in self.latent.items()}
        self.priors = {name: prior for name, prior in priors.items() if prior is not None}
        self.learned = {name: prior for name, prior in self.priors.items() if prior.level is None}
        self.scores = [name for name, prior in self.priors.items() if isinstance(prior, LearnedScore)]
        self.path = Path(likelihood, self)
        flat, self._unravel = ravel_pytree(self._unconstrained(trace))
        self.size = flat.size

    def levels(self, u: ArrayLike) -> dict[str, Array]:
        """The level of each learned site at coordinate u."""
        return {name: prior.fit.levels.at(jnp.maximum(u, 0.0)) for name, prior in self.learned.items()}

    def log_joint(self, theta: Array, u: ArrayLike, power: ArrayLike | None = None) -> Array:
        """log joint density of the unconstrained latents theta (size,) at level coordinate u; `power` weighs the
        likelihood. Sites with a score alone add zero, and their score to the gradient.
        """
        program = self.path.at(self.program, jnp.asarray(u), power)
        with noise_level(self.levels(u)), scores_allowed(bool(self.scores), 0.0):
            return -potential_energy(program, self.args, self.kwargs, self._unravel(theta))

    def sites(self, theta: Array) -> dict[str, Array]:
        """Latent sites on their own supports, and deterministic sites, at theta (size,)."""
        params = self._unravel(theta)
        values = constrain_fn(self.program, self.args, self.kwargs, params, return_deterministic=True)
        return {name: value for name, value in values.items() if not _is_plate(name, value)}

    def prior_draw(self, key: PRNGKeyArray) -> dict[str, Array]:
        """One draw of each latent site from its prior; learned ones as noised training examples at their level."""
        return {name: site["value"] for name, site in self._prior_trace(key, {}).items() if name in self.latent}

    def prior_start(self, key: PRNGKeyArray) -> Array:
        """The same at the largest level, as theta (size,)."""
        return ravel_pytree(self._unconstrained(self._prior_trace(key, self.levels(1.0))))[0]

    def _prior_trace(self, key, levels):
        def draw(site):
            if site["type"] != "sample" or site["is_observed"] or (prior := find_learned(site["fn"])) is None:
                return None
            return noised(prior.fit, site["kwargs"]["rng_key"], _batch(site, prior), prior.current_level)

        given = {name: prior.level for name, prior in self.priors.items() if prior.level is not None}
        program = noise_level(given | levels, handlers.seed(self.program, key))  # inside, so that `draw` sees the level
        return handlers.trace(handlers.substitute(program, substitute_fn=draw)).get_trace(*self.args, **self.kwargs)

    def starts(self, key: PRNGKeyArray, n: int, log_joint: Callable) -> Array:
        """n cold starts (n, size): noised data at the largest level, other sites as NumPyro starts them.

        A start with density zero or NaN is drawn again; when all of `TRIES` n fail, `SamplingError` names the site.
        """
        theta = jax.vmap(self._start)(random.split(key, TRIES * n))
        value = jax.vmap(lambda t: log_joint(t, 1.0))(theta)
        good = jnp.flatnonzero(jnp.isfinite(value))
        if good.size == 0:
            raise self.impossible(theta[0])
        return theta[jnp.resize(good, n)]

    def _start(self, key):
        return ravel_pytree(self._unconstrained(self.cold_trace(key)))[0]

    def cold_trace(self, key):
        """The program's trace with its latent sites at a cold start."""

        def start(site):
            if site["type"] != "sample" or site["is_observed"]:
                return None
            if site["name"] in self.init:
                return jnp.asarray(self.init[site["name"]])
            prior = find_learned(site["fn"])
            if prior is None:
                return init_to_uniform(site)
            return noised(prior.fit, site["kwargs"]["rng_key"], _batch(site, prior), prior.fit.levels.most)

        program = handlers.substitute(handlers.seed(self.program, key), substitute_fn=start)
        return handlers.trace(program).get_trace(*self.args, **self.kwargs)

    def _unconstrained(self, trace):
        return {name: biject_to(trace[name]["fn"].support).inv(trace[name]["value"]) for name in self.latent}

    def impossible(self, theta: Array) -> SamplingError:
        """The error for a program without density at theta (size,), naming the sites."""
        values = self.sites(theta)
        program = handlers.substitute(handlers.seed(self.program, random.key(0)), data=values)
        with noise_level(self.levels(1.0)):
            trace = handlers.trace(program).get_trace(*self.args, **self.kwargs)
        bad = [
            f"site '{name}' has log density {float(jnp.sum(site['fn'].log_prob(site['value']))):g}"
            for name, site in trace.items()
            if site["type"] == "sample" and not jnp.isfinite(jnp.sum(site["fn"].log_prob(site["value"])))
        ]
        return SamplingError(
            given=f"a program that is impossible at every start: {', '.join(bad) or 'its log density is not finite'}",
            expected="a finite log density at some start",
            fix="check the parameters and the data of that site, or start elsewhere with init={site: value}",
        )


def _batch(site, prior):
    shape = site["fn"].shape(site["kwargs"]["sample_shape"])
    return shape[: len(shape) - len(prior.event_shape)]


def _is_plate(name, value):
    return isinstance(value, numpyro.primitives.CondIndepStackFrame)


def _check_site(name, site):
    fn, value = site["fn"], site["value"]
    if fn.support.is_discrete and not site["is_observed"]:
        raise SamplingError(
            given=f"the latent site '{name}', which is discrete",
            expected="continuous latent sites",
            fix=f"sum '{name}' out of the program, or use NumPyro's own MCMC with enumeration",
        )
    if not site["is_observed"]:
        return
    shape, expected = jnp.shape(value), fn.shape()
    try:
        fits = jnp.broadcast_shapes(shape, expected) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            given=f"data of shape {shape} at site '{name}'",
            expected=f"shape {expected}, that of the site's distribution",
            fix="pass data of that shape, or change the program (to_event, plate)",
        )
    if not bool(jnp.all(admits(fn.support, jnp.asarray(value)))):
        raise DataError(
            given=f"data between {float(jnp.min(value)):g} and {float(jnp.max(value)):g} at site '{name}'",
            expected=f"values inside the support of the site, {fn.support}",
            fix="leave out or mask the values outside (a NaN is outside every support)",
        )
