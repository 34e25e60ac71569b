"""Sampler output as an ArviZ DataTree.

    posterior       (chain, draw, ...): latent and deterministic sites, at the lowest level
    sample_stats    acceptance_rate, diverging, lp; n_steps and energy where the sampler has them
    diagnosis       what `sd.diagnose` needs beside: see `_diagnosis`
    observed_data
    levels          runs that move the level: latent sites at the other levels (chain, visit, ...), their `coordinate`
                    and `level_<site>`, and the coordinate of each iteration, `track` (chain, iteration), from the
                    first at the most noise; the sampling starts at attribute `sampling_from`; tempered runs add the
                    total energy of each sweep of the sampling

and the groups of `predictive.py`.
"""

from collections.abc import Callable
from functools import wraps

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from arviz_base import dict_to_dataset
from jaxtyping import Array

from symdsm.inference.compiled import cached
from symdsm.inference.paths import RUNGS
from symdsm.inference.predictive import chain_dataset, predictive_groups
from symdsm.inference.target import Target

__all__ = ["levels_group", "posterior_tree", "tempered_tree"]

POINTS = 400


def _kept_through_an_interrupt(build: Callable[..., xr.DataTree]) -> Callable[..., xr.DataTree]:
    """`build`, which takes seconds, begun again after one Ctrl-C and then marked: the draws before it took longer."""

    @wraps(build)
    def built(*args, **kwargs):
        try:
            return build(*args, **kwargs)
        except KeyboardInterrupt:
            tree = build(*args, **kwargs)
            tree.attrs["partial"] = tree["posterior"].attrs["partial"] = 1
            return tree

    return built


@_kept_through_an_interrupt
def posterior_tree(target: Target, theta, stats: dict, attrs: dict, key, walkers=None, **groups) -> xr.DataTree:
    """The tree for draws theta (chains, draws, size) at the lowest level; `walkers` (n, size) came down from noise."""
    sites = cached(jax.vmap(jax.vmap(target.sites)), theta)
    groups_of_program, left_out = predictive_groups(target, sites, key)
    tree = {
        "posterior": chain_dataset(sites),
        "sample_stats": chain_dataset(stats),
        **groups_of_program,
        "diagnosis": _diagnosis(target, theta, walkers),
        **groups,
    }
    if target.observed:
        data = {name: np.asarray(value) for name, value in target.observed.items()}
        tree["observed_data"] = dict_to_dataset(data, sample_dims=[])
    shared = {
        "inference_library": "symdsm",
        "learned_sites": list(target.priors),
        "likelihood": target.path.kind,
        "left_out": left_out,
        **attrs,
    }
    result = xr.DataTree.from_dict(tree)
    result.attrs.update(shared)
    result["posterior"].attrs.update(shared)
    return result


def _diagnosis(target, theta, walkers):
    """Up to POINTS draws, evenly spaced over all chains: `theta` (point, coordinate) on the unconstrained scale, the
    gradient there of the log joint that was sampled, and where walkers that came down from noise on their own ended,
    `walkers` (walker, coordinate).
    """
    chains, draws, size = theta.shape
    keep = np.unique(np.linspace(0, draws - 1, max(POINTS // chains, 1)).astype(int))
    points = jnp.reshape(theta[:, keep], (-1, size))
    gradient = cached(jax.vmap(lambda t: jax.grad(target.log_joint)(t, 0.0)), points)
    found = {"theta": ("point", points), "gradient": ("point", gradient)}
    if walkers is not None:
        found["walkers"] = "walker", walkers
    return xr.Dataset({name: ((first, "coordinate"), np.asarray(v)) for name, (first, v) in found.items()})


@_kept_through_an_interrupt
def tempered_tree(target: Target, run, partial_run: bool, key) -> xr.DataTree:
    """The tree of a finished or interrupted tempered run."""
    seen = jax.tree.map(lambda *parts: np.swapaxes(np.concatenate(parts), 0, 1), *run.kept)
    n = min(run.visits, run.draws)
    low = np.stack([np.flatnonzero(u <= 0)[:n] for u in seen.u])
    rows = np.arange(run.chains)[:, None]
    stats = {
        "acceptance_rate": seen.accept[rows, low],
        "diverging": seen.diverging[rows, low],
        "lp": seen.potential[rows, low],
        "n_steps": seen.leapfrogs[rows, low],
    }
    attrs = {
        "partial": int(partial_run),
        "gradients": int(seen.leapfrogs.sum()),
        "divergences_above": int(seen.diverging.sum() - stats["diverging"].sum()),
        "tilt": run.tilt,
        "step_size": float(np.exp(run.state.log_step)),
    }
    levels = _visited(target, run, seen, n)
    return posterior_tree(target, seen.theta[rows, low], stats, attrs, key, run.descent.walkers[0], levels=levels)


def _visited(target, run, seen, n):
    high = [np.flatnonzero(u > 0) for u in seen.u]
    count = min(n, *(len(h) for h in high)) if len(high) > 1 else min(n, len(high[0]))
    pick = np.stack([h[np.linspace(0, len(h) - 1, count).astype(int)] if count else h[:0] for h in high])
    rows = np.arange(run.chains)[:, None]
    u = seen.u[rows, pick]
    sites = cached(jax.vmap(jax.vmap(target.sites)), jnp.asarray(seen.theta[rows, pick]))
    visited = {name: np.asarray(sites[name]) for name in target.latent} | {"coordinate": u}
    visited |= {f"level_{name}": np.asarray(level) for name, level in target.levels(u).items()}
    descent = np.broadcast_to(np.linspace(1, 0, RUNGS + 1), (run.chains, RUNGS + 1))
    path = np.concatenate([descent, *(s.u.T for s in run.warm), seen.u], 1)
    group = levels_group(path, path.shape[1] - seen.u.shape[1], visited, weight=run.weight)
    group["energy"] = xr.DataArray(seen.energy, dims=("chain", "sweep"))
    return group


def levels_group(track: np.ndarray, sampling_from: int, visited: dict | None = None, **tables: Array) -> xr.Dataset:
    """The group `levels` from the track (chain, iteration) and sites visited at other levels (chain, visit, ...)."""
    dataset = dict_to_dataset(visited, sample_dims=["chain", "visit"]) if visited else xr.Dataset()
    dataset["track"] = xr.DataArray(np.asarray(track), dims=("chain", "iteration"))
    for name, table in tables.items():
        dataset[name] = xr.DataArray(np.asarray(table), dims="rung")
    dataset.attrs["sampling_from"] = int(sampling_from)
    return dataset
