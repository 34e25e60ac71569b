"""`fit` trains a network on data noised by a kernel.

The order: check the parameters, the kernel's regularity, the data and the network against each other; measure
the scales; run the loop; settle the normaliser (dual fits).
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PRNGKeyArray

from symdsm.errors import ParameterError
from symdsm.learning import arrays as files
from symdsm.learning import checks
from symdsm.learning.coordinates import coordinates_for
from symdsm.learning.fitted import Fit
from symdsm.learning.levels import Levels
from symdsm.learning.networks import AbstractEnergy
from symdsm.learning.noise import Noise
from symdsm.learning.normalise import anchored, level_balanced
from symdsm.learning.objectives import Objective, objective_named
from symdsm.learning.potentials import Potential, potential_of
from symdsm.learning.protocols import KernelLike
from symdsm.learning.scaling import measure
from symdsm.learning.training import Settings, train
from symdsm.learning.weightings import important_levels, weighted, weighting_name

__all__ = ["EXAMPLES", "finished", "fit", "prepared"]

EXAMPLES = 1000


def _positive(**values):
    for name, value in values.items():
        if not value > 0:
            raise ParameterError(given=f"{name}={value}", expected=f"{name} > 0", fix=f"pass a positive {name}")


def fit(
    net: eqx.Module,
    data: ArrayLike,
    kernel: KernelLike,
    *,
    key: PRNGKeyArray,
    levels: Levels | None = None,
    objective: str | Objective = "dual",
    weighting: str | Callable[[Array], Array] = "fisher",
    importance: bool = False,
    steps: int = 20_000,
    params: Mapping[str, Any] | None = None,
    context: ArrayLike | None = None,
    support: Any = None,
    standardise: bool = False,
    batch_size: int = 256,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.1,
    ema: float = 0.999,
    clip: float = 1.0,
    validation: float = 0.1,
    progress: bool = True,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    unchecked: bool = False,
) -> Fit:
    """Train `net` on `data` (rows, *event) noised by `kernel` over `levels`.

    **Arguments**

    - `net`: `sd.Energy`, `sd.Score` or `sd.Denoiser`, or a subclass of their abstract types.
    - `objective`: "dual" (energies; gradient and level derivative), "dsm" (gradient alone) or "controlled" (dsm with
      a control variate, for small noise); `sd.objectives` makes others, such as `sd.objectives.esm(score)`.
    - `weighting`: of the levels; "fisher" (1 over the kernel's Fisher information averaged over the data),
      "likelihood" (g(t)^2, kernels from an SDE), "uniform", or a function of the level. The loss is divided by the
      weights' sum at a network that predicts nothing.
    - `importance`: draw levels as often as their gradients are large, the losses divided by how often.
    - `params`: the kernel's parameters besides the level, by name.
    - `context`: (rows, *context) that belong to the data, for a network with a `context_shape`: the density of the
      events given the context.
    - `support`: "positive", "simplex", a pair (low, high) of numbers or arrays, or an interval of SymPy. Training then
      happens in coordinates without walls (`symdsm.learning.coordinates`), and the fit speaks of the data as given.
    - `standardise`: train in units of each entry's standard deviation. Levels are in the units of the coordinates:
      of the data as a rule, of their logarithms for positive data, of standard deviations with this option.
    - `validation`: share of the rows held out to watch the loss; they still serve the normaliser.
    - `clip`, `ema`: the gradient's largest norm, the decay of the averaged weights that the fit keeps.
    - `checkpoint`, `resume`: a folder for the state of training; a resumed run is the uninterrupted one, bit
      for bit.
    - `unchecked`: train although the kernel's check refuses; the fit remembers it.

    Ctrl-C writes the checkpoint and returns what there is, with `fit.interrupted` True.

    **Raises** `ValidityError` (the identity fails for this kernel), `DataError`, `ShapeError`,
    `ParameterError`, `EnergyRequired`, `DerivationError`, and `FitError` (a loss that is not finite, a
    checkpoint of another run). A target of infinite variance gives a warning.
    """
    _positive(steps=steps, batch_size=batch_size, learning_rate=learning_rate, clip=clip)
    if not 0 <= validation < 1:
        raise ParameterError(given=f"validation={validation}", expected="a share in [0, 1)", fix="try 0.1")
    keys = jax.random.split(key, 5)
    objective = objective_named(objective)
    given = checks.check_data(data)
    coordinates = coordinates_for(support, standardise, given)
    examples = jnp.asarray(given, dtype=float)
    clean = jax.vmap(coordinates.forward)(examples)
    seen = checks.check_context(net, context, len(clean))
    potential, affine = prepared(
        net,
        clean,
        kernel,
        keys[:2],
        levels=levels,
        objective=objective,
        params=params,
        unchecked=unchecked,
        context=seen,
    )
    objective = weighted(objective, weighting, potential)
    draws = important_levels(objective, potential, clean, keys[1], seen) if importance else None
    level_name = potential.noise.level_name

    held_out = round(validation * len(clean))
    order = jax.random.permutation(keys[2], len(clean))
    weights = weighting_name(weighting, levels)
    settings = Settings(
        objective.name, weights, importance, steps, batch_size, learning_rate, weight_decay, ema, clip, validation
    )
    potential, history, interrupted = train(
        potential,
        objective,
        (clean[order[held_out:]], None if seen is None else seen[order[held_out:]]),
        (clean[order[:held_out]], None if seen is None else seen[order[:held_out]]),
        keys[3],
        settings,
        level_at=lambda u: "the one level" if levels is None else f"{level_name}={float(levels.at(u)):.4g}",
        identity=_identity(net, (clean, seen), kernel, key, levels, potential.noise.params, settings),
        checkpoint=None if checkpoint is None else Path(checkpoint),
        resume=resume,
        progress=progress,
        level_draws=draws,
    )
    return Fit(
        potential=finished(potential, objective, clean, keys[4], seen),
        examples=examples[order[:EXAMPLES]],
        kernel=kernel,
        objective=objective.name,
        history=history,
        interrupted=interrupted,
        unchecked=unchecked,
        affine=affine,
        coordinates=coordinates,
        contexts=None if seen is None else seen[order[:EXAMPLES]],
    )


def prepared(
    net: eqx.Module,
    clean: Array,
    kernel: KernelLike,
    keys: Array,
    *,
    levels: Levels | None,
    objective: Objective,
    params: Mapping[str, Any] | None,
    unchecked: bool,
    context: Array | None = None,
) -> tuple[Potential, bool]:
    """Check all against each other; (the untrained potential with its scales measured, affine as in `Fit`)."""
    params = dict(params or {})
    checks.check_pair(net, objective, kernel)
    checks.check_params(kernel, params, levels)
    checks.check_validity(kernel, params, levels, unchecked, clean, objective)
    values = {name: jnp.asarray(value, clean.dtype) for name, value in params.items()}
    level_name = None if kernel.level is None else kernel.level.name
    noise = Noise(values, levels, level_name, kernel.event_ndim > 0, kernel.compile())
    half = jnp.asarray(0.5, clean.dtype)
    checks.check_event(net, jax.eval_shape(noise.sample, keys[0], clean[0], half).shape)
    checks.check_support(noise, clean, keys[0])
    affine = checks.affine_in_clean(noise, clean, keys[0])
    checks.check_denoiser(net, affine)
    return _start(net, noise, clean, keys[1], context, dual=objective.needs_energy), affine


def finished(
    potential: Potential, objective: Objective, clean: Array, key: PRNGKeyArray, context: Array | None = None
) -> Potential:
    """The trained potential, normalised where the objective leaves one constant only."""
    if not objective.needs_energy:
        return potential
    balanced = level_balanced(potential, clean, key, context=context)
    return anchored(balanced, clean, key) if context is None else balanced


def _start(net, noise: Noise, data: Array, key: PRNGKeyArray, context: Array | None, *, dual: bool) -> Potential:
    """The untrained potential: scales measured, and for dual energies the tail's own normaliser taken out."""
    scaling = measure(noise, data, key, dual=dual, context=context)
    potential = potential_of(net, noise, scaling, data, key)
    if not dual:
        return potential
    silent = eqx.tree_at(lambda p: p.net, potential, _Silent(net.event_shape))
    return eqx.tree_at(lambda p: p.offset, potential, level_balanced(silent, data, key, draws=1024).offset)


class _Silent(AbstractEnergy):
    event_shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x, level):
        return jnp.zeros((), x.dtype)


def _identity(net, data, kernel, key, levels, params, settings) -> dict[str, Any]:
    """What must agree for a checkpoint to be continued; JSON values only."""
    return {
        "kernel": kernel.digest,
        "data": files.array_digest(*(np.asarray(a) for a in data if a is not None)),
        "network": files.array_digest(*files.leaves("net", net).values()),
        "key": files.array_digest(np.asarray(jax.random.key_data(key))),
        "levels": None if levels is None else [levels.least, levels.most, levels.spacing],
        "params": files.array_digest(*(np.asarray(params[name]) for name in sorted(params))),
        "settings": list(settings),
    }
