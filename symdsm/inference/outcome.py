"""Sampler output as an ArviZ DataTree.

Groups: `posterior` (chain, draw, ...), `sample_stats`, `observed_data`, and for tempered runs `levels`, whose
variables are the latent sites at the other levels (chain, visit, ...), their `coordinate` and `level_<site>`, and the
coordinate of every iteration of the run, `track` (chain, iteration): the descent from noise, then warm-up, then the
sampling that starts at attribute `sampling_from`.
"""

import jax
import numpy as np
import xarray as xr
from arviz_base import dict_to_dataset

from symdsm.inference.paths import RUNGS

__all__ = ["posterior_tree", "tempered_tree"]


def posterior_tree(target, theta, stats, attrs, **groups) -> xr.DataTree:
    """The tree for draws theta (chains, draws, size) at the lowest level."""
    sites = jax.jit(jax.vmap(jax.vmap(target.sites)))(theta)
    tree = {
        "posterior": dict_to_dataset({name: np.asarray(value) for name, value in sites.items()}),
        "sample_stats": dict_to_dataset({name: np.asarray(value) for name, value in stats.items()}),
        **groups,
    }
    if target.observed:
        data = {name: np.asarray(value) for name, value in target.observed.items()}
        tree["observed_data"] = dict_to_dataset(data, sample_dims=[])
    attrs = {"inference_library": "symdsm", "learned_sites": list(target.learned), **attrs}
    result = xr.DataTree.from_dict(tree)
    result.attrs.update(attrs)
    result["posterior"].attrs.update(attrs)
    return result


def tempered_tree(target, run, partial_run: bool) -> xr.DataTree:
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
        "method": "tempered",
        "partial": int(partial_run),
        "gradients": int(seen.leapfrogs.sum()),
        "divergences_above": int(seen.diverging.sum() - stats["diverging"].sum()),
        "tilt": run.tilt,
        "step_size": float(np.exp(run.state.log_step)),
    }
    return posterior_tree(target, seen.theta[rows, low], stats, attrs, levels=_levels(target, run, seen, n))


def _levels(target, run, seen, n):
    high = [np.flatnonzero(u > 0) for u in seen.u]
    count = min(n, *(len(h) for h in high)) if len(high) > 1 else min(n, len(high[0]))
    pick = np.stack([h[np.linspace(0, len(h) - 1, count).astype(int)] if count else h[:0] for h in high])
    rows = np.arange(run.chains)[:, None]
    u = seen.u[rows, pick]
    sites = jax.jit(jax.vmap(jax.vmap(target.sites)))(seen.theta[rows, pick])
    visited = {name: np.asarray(sites[name]) for name in target.latent} | {"coordinate": u}
    visited |= {f"level_{name}": np.asarray(level) for name, level in target.levels(u).items()}
    descent = np.broadcast_to(np.linspace(1, 0, RUNGS + 1), (run.chains, RUNGS + 1))
    path = np.concatenate([descent, *(s.u.T for s in run.warm), seen.u], 1)
    dataset = dict_to_dataset(visited, sample_dims=["chain", "visit"])
    dataset["track"] = xr.DataArray(path, dims=("chain", "iteration"))
    dataset["weight"] = xr.DataArray(np.asarray(run.weight), dims="rung")
    dataset.attrs["sampling_from"] = int(path.shape[1] - seen.u.shape[1])
    return dataset
