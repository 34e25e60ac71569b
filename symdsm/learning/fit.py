"""`fit` trains a network on data noised by a kernel.

The order: check the parameters, the kernel's regularity, the data and the network against each other; measure
the scales; run the loop; settle the normaliser (dual fits).
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from symdsm.learning.autoencoding import aims_at_mean
from symdsm.learning.coordinates import coordinates_for
from symdsm.learning.fitted import Fit
from symdsm.learning.implicit import check_by_parts
from symdsm.learning.levels import Levels
from symdsm.learning.networks import AbstractEnergy, on_circle
from symdsm.learning.noise import Noise
from symdsm.learning.normalise import anchored, level_balanced
from symdsm.learning.objectives import Objective, objective_named
from symdsm.learning.potentials import Potential, alike, potential_of
from symdsm.learning.protocols import KernelLike
from symdsm.learning.scaling import measure
from symdsm.learning.sources import Rows, Sampler, Stream, Table, is_stream, reference
from symdsm.learning.steps import Settings, Steps, mesh_of
from symdsm.learning.training import train
from symdsm.learning.weightings import important_levels, weighted, weighting_name

__all__ = ["EXAMPLES", "finished", "fit", "prepared"]

EXAMPLES = 1000


def _check_settings(steps, batch_size, learning_rate, clip, validation, patience, devices) -> None:
    positive = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate, "clip": clip}
    for name, value in (positive | ({} if patience is None else {"patience": patience})).items():
        if not value > 0:
            raise ParameterError(given=f"{name}={value}", expected=f"{name} > 0", fix=f"pass a positive {name}")
    if not 0 <= validation < 1:
        raise ParameterError(given=f"validation={validation}", expected="a share in [0, 1)", fix="try 0.1")
    if patience is not None and validation == 0:
        raise ParameterError(
            given=f"patience={patience} with validation=0",
            expected="held-out rows: early stopping looks at their loss",
            fix="pass validation=0.1, or leave patience out",
        )
    if devices is not None and (not len(devices) or batch_size % len(devices)):
        raise ParameterError(
            given=f"batch_size={batch_size} and {len(devices)} device(s)",
            expected="a batch that splits evenly over at least one device",
            fix=f"pass a multiple of {max(len(devices), 1)} as batch_size",
        )


def _split(data, stream: Stream | None, coordinates, rows: Rows, order: Array, validation: float):
    """(the source of training rows, the held-out rows)."""

    def chosen(at):
        return jax.tree.map(lambda a: a[at], rows)

    if not is_stream(data):
        held_out = round(validation * len(order))
        return Table(chosen(order[held_out:]), order[held_out:]), chosen(order[:held_out])
    kept = chosen(order if validation else order[:0])
    if stream is None:
        return Sampler(data, coordinates), kept
    stream.coordinates = coordinates
    return stream, kept


def fit(
    net: eqx.Module,
    data: ArrayLike | Callable | Iterator,
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
    patience: int | None = None,
    devices: Sequence[jax.Device] | None = None,
    progress: bool = True,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    unchecked: bool = False,
) -> Fit:
    """Train `net` on `data` noised by `kernel` over `levels`.

    `data` are rows (rows, *event); or a sampler, a function of (key, n) that returns n rows by JAX; or an iterator of
    batches of rows, of any size (`symdsm.learning.sources`). The last two may give pairs (rows, contexts).

    **Arguments**

    - `net`: `sd.Energy`, `sd.Score` or `sd.Denoiser`, or a subclass of their abstract types. For a kernel with a period
      (`sd.families.wrapped_normal()`) energies and scores have that period: an `sd.Energy` or `sd.Score` not made with
      `angles=True` is built anew so, from `key`; a network of your own says that it is periodic by a field `angles`.
    - `objective`, by name or from `sd.objectives`:
      "dual" matches gradient and level derivative of an energy; "dsm" the gradient alone, of any network;
      "controlled" is dsm with a control variate, for small noise, where E[score | x] is known;
      "ism" and "sliced" need draws of the noise only, and Hyvarinen's boundary condition; `sd.objectives.ism(probes=1)`
      estimates the trace, `sd.objectives.sliced(projections=4)` takes more directions;
      "dae" reconstructs the clean event with a denoiser (`sd.Denoiser`, `sd.Autoencoder`), by
      `sd.objectives.dae(likelihood)` in any law;
      `sd.objectives.esm(score)` is given the true score, for tests and teaching.
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
    - `validation`: share of the rows held out to watch the loss; they still serve the normaliser. Of a sampler or
      an iterator the first 4096 rows are held out, unless `validation` is 0.
    - `patience`: stop after so many looks at the held-out rows (there are about twenty) without a better one, and
      return the weights of the best; by default training runs to the end.
    - `devices`: split each batch over them, `jax.devices()` for all, those of other processes included; each process
      runs the same call. `batch_size` must be a multiple of their number.
    - `clip`, `ema`: the gradient's largest norm, the decay of the averaged weights that the fit keeps.
    - `checkpoint`, `resume`: a folder for the state of training; a resumed run is the uninterrupted one, bit
      for bit.
    - `unchecked`: train although the kernel's check refuses; the fit remembers it.

    Ctrl-C writes the checkpoint and returns what there is, with `fit.interrupted` True.

    **Raises** `ValidityError` (the identity fails for this kernel), `DataError`, `ShapeError`,
    `ParameterError`, `EnergyRequired`, `DerivationError`, and `FitError` (a loss that is not finite, a
    checkpoint of another run). A target of infinite variance gives a warning.
    """
    _check_settings(steps, batch_size, learning_rate, clip, validation, patience, devices)
    keys = jax.random.split(key, 5)
    objective = objective_named(objective)
    rows, context, stream = reference(data, context, keys[2])
    given = checks.check_data(rows)
    checks.check_turns(kernel, support, standardise)
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

    order = jax.random.permutation(keys[2], len(clean))
    weights = weighting_name(weighting, levels)
    settings = Settings(
        objective.name,
        weights,
        importance,
        steps,
        batch_size,
        learning_rate,
        weight_decay,
        ema,
        clip,
        validation,
        patience,
    )
    source, held_out = _split(data, stream, coordinates, (clean, seen), order, validation)
    potential, history, interrupted = train(
        Steps(potential, objective, settings, draws, mesh_of(devices)),
        source,
        held_out,
        keys[3],
        level_at=lambda u: "the one level" if levels is None else f"{level_name}={float(levels.at(u)):.4g}",
        identity=_identity(potential.net, (clean, seen), kernel, key, levels, potential.noise.params, settings),
        checkpoint=None if checkpoint is None else Path(checkpoint),
        resume=resume,
        progress=progress,
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
    noise = Noise.of(kernel, values, levels)
    net = on_circle(net, noise.period is not None, jax.random.fold_in(keys[1], 1))
    half = jnp.asarray(0.5, clean.dtype)
    checks.check_event(net, jax.eval_shape(noise.sample, keys[0], clean[0], half).shape)
    checks.check_support(noise, clean, keys[0])
    affine = checks.affine_in_clean(noise, clean, keys[0]) and aims_at_mean(objective, clean)
    checks.check_denoiser(net, affine, objective)
    potential = _start(net, noise, clean, keys[1], context, dual=objective.needs_energy)
    if objective.by_parts and not unchecked:
        check_by_parts(objective, potential, clean, keys[0], context)
    return potential, affine


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
    if net.exchangeable:
        potential = alike(potential)
    if not dual:
        return potential
    silent = eqx.tree_at(lambda p: p.net, potential, _Silent(net.event_shape))
    return eqx.tree_at(lambda p: p.offset, potential, level_balanced(silent, data, key).offset)


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
