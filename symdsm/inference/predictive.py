"""What the program says beside its posterior: log likelihood, predictive draws, prior draws.

    log_likelihood          of each entry of an observed site's batch, at each posterior draw
    posterior_predictive    observed sites drawn anew, one for each posterior draw
    predictive_fit          log p(y | draw) summed over a site, for the data (`<site>_observed`) and for the site drawn
                            anew (`<site>_replicated`): the two have one law where the model holds (Gelman, Meng & Stern
                            1996)
    prior                   latent and deterministic sites; learned priors are drawn as noised training examples, which
                            is the law that they learned. prior_predictive: observed sites drawn from these
    prior_fit               log m of the data (`observed`) and of each prior predictive draw (`replicated`), all sites
                            that can be drawn anew together, with m(y) the mean of p(y | latents) over OTHERS prior
                            draws that made none of them: given these, data that follow the program are exchangeable
                            with the draws, however far m is from its limit, the density of the data under the prior

Some sites cannot be drawn anew: factors, improper laws, kernels whose draws need chains of their own, observed learned
priors. They stay as given, and an attribute of the tree, `left_out`, names the groups that miss them.
"""

import jax
import jax.numpy as jnp
import numpy as np
from arviz_base import dict_to_dataset
from jax import lax, random
from jax.scipy.special import logsumexp
from numpyro import handlers
from numpyro.primitives import Messenger

from symdsm.inference.compiled import cached
from symdsm.inference.handlers import find_learned
from symdsm.inference.kernel_distribution import KernelDistribution
from symdsm.inference.likelihood import core
from symdsm.inference.target import Target

__all__ = ["chain_dataset", "predictive_groups"]

PRIOR_DRAWS, OTHERS = 500, 100


def chain_dataset(values: dict):
    """Arrays (chain, draw, ...) by name as a dataset."""
    return dict_to_dataset({name: np.asarray(value) for name, value in values.items()})


class _anew(Messenger):
    """Draws the named observed sites anew, as many values as there are data."""

    def __init__(self, fn, names, key):
        self.names, self.key = names, key
        super().__init__(fn)

    def process_message(self, msg):
        if msg["type"] == "sample" and msg["name"] in self.names:
            shape = jnp.shape(msg["value"])
            msg["fn"] = msg["fn"].expand(shape[: len(shape) - msg["fn"].event_dim])
            msg["is_observed"], msg["value"] = False, None
            msg["kwargs"]["rng_key"] = random.fold_in(self.key, self.names.index(msg["name"]))


def _trace(target, latent, key, anew=()):
    program = handlers.substitute(handlers.seed(target.program, key), data=latent)
    return handlers.trace(_anew(program, tuple(anew), key)).get_trace(*target.args, **target.kwargs)


def _drawable(target: Target) -> list[str]:
    """Observed sites that can be drawn anew."""

    def can(site):
        fn = core(site["fn"])
        chains = isinstance(fn, KernelDistribution) and fn.event_shape and fn.kernel.compile().needs_chains
        if not np.size(site["value"]) or find_learned(fn) is not None or chains:
            return False
        try:
            jax.eval_shape(fn.sample, random.key(0))
        except NotImplementedError:
            return False
        return True

    return [name for name, site in target.observed_sites.items() if can(site)]


def predictive_groups(target: Target, sites: dict, key) -> tuple[dict, list[str]]:
    """The groups of the module docstring for posterior draws `sites` (chain, draw, ...), and what is left out."""
    key_predict, key_prior = random.split(key)
    anew = _drawable(target)
    data = [name for name, value in target.observed.items() if np.size(value)]
    left = [f"posterior_predictive of {name}" for name in data if name not in anew]
    groups = _of_posterior(target, {n: sites[n] for n in target.latent}, data, anew, key_predict) if data else {}
    try:
        groups |= _of_prior(target, anew, key_prior)
    except NotImplementedError:
        left.append("prior: a latent site cannot be drawn")
    return groups, left


def _of_posterior(target, latent, data, anew, key):
    def total(trace, name):
        return jnp.sum(trace[name]["fn"].log_prob(trace[name]["value"]))

    def at(one, key):
        given, again = _trace(target, one, key), _trace(target, one, key, anew)
        density = {name: given[name]["fn"].log_prob(given[name]["value"]) for name in data}
        drawn = {name: again[name]["value"] for name in anew}
        fit = {f"{name}_observed": total(given, name) for name in anew}
        return density, drawn, fit | {f"{name}_replicated": total(again, name) for name in anew}

    chains, draws = next(iter(latent.values())).shape[:2]
    keys = random.split(key, (chains, draws))
    density, drawn, fit = cached(lambda s, k: lax.map(lambda a: jax.vmap(at)(*a), (s, k)), latent, keys)
    groups = {"log_likelihood": chain_dataset(density)}
    if anew:
        groups |= {"posterior_predictive": chain_dataset(drawn), "predictive_fit": chain_dataset(fit)}
    return groups


def _of_prior(target, anew, key):
    def at(key):
        start, noise = random.split(key)
        trace = _trace(target, target.prior_draw(start), noise, anew)
        return {n: site["value"] for n, site in trace.items() if site["type"] in ("sample", "deterministic")}

    key_draws, key_others = random.split(key)
    drawn = cached(jax.vmap(at), random.split(key_draws, PRIOR_DRAWS))
    groups = {"prior": chain_dataset({n: v[None] for n, v in drawn.items() if n not in target.observed})}
    if anew:
        data = {n: jnp.concatenate([jnp.asarray(target.observed[n])[None], drawn[n]]) for n in anew}
        density = np.asarray(_log_mean_likelihood(target, data, key_others))
        groups["prior_predictive"] = chain_dataset({n: drawn[n][None] for n in anew})
        groups["prior_fit"] = chain_dataset({"replicated": density[None, 1:]}).assign(observed=density[0])
    return groups


def _log_mean_likelihood(target, data, key):
    """log m of each entry of `data`, observed sites' values (n, ...) by name."""

    def at(key, data):
        start, noise = random.split(key)
        latent = target.prior_draw(start)

        def density(values):
            trace = _trace(target, latent | values, noise)
            return sum(jnp.sum(trace[name]["fn"].log_prob(values[name])) for name in values)

        return jax.vmap(density)(data)

    each = cached(lambda keys, data: lax.map(lambda k: at(k, data), keys), random.split(key, OTHERS), data)
    return logsumexp(jnp.where(jnp.isnan(each), -jnp.inf, each), 0) - jnp.log(OTHERS)
