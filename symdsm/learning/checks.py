"""What must hold before training starts, and what is said when it does not."""

import warnings
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from symdsm.errors import (
    DataError,
    DerivationError,
    EnergyRequired,
    FitError,
    ParameterError,
    ShapeError,
    ValidityError,
)
from symdsm.learning.levels import Levels
from symdsm.learning.networks import AbstractDenoiser, AbstractEnergy, AbstractScore
from symdsm.learning.noise import Noise
from symdsm.learning.objective import Objective
from symdsm.learning.objectives import dsm
from symdsm.learning.protocols import KernelLike, Verdict

__all__ = [
    "affine_in_clean",
    "check_context",
    "check_data",
    "check_denoiser",
    "check_event",
    "check_pair",
    "check_params",
    "check_support",
    "check_turns",
    "check_validity",
]


def _some(indices, n=5):
    shown = ", ".join(str(int(i)) for i in indices[:n])
    return shown + (", ..." if len(indices) > n else "")


def check_data(data) -> np.ndarray:
    """`data` as a float array (rows, *event) without NaN, or `DataError`."""
    array = np.asarray(data)
    if array.dtype.kind != "f":
        raise DataError(
            given=f"data of type {array.dtype}",
            expected="floating point numbers; score matching is about densities",
            fix="for counts or grey levels add uniform noise: data + rng.uniform(size=data.shape)",
        )
    if array.ndim == 0 or len(array) < 2:
        raise DataError(
            given=f"data of shape {array.shape}, {len(array) if array.ndim else 'no'} sample(s)",
            expected="at least two samples along the first axis",
            fix="pass data of shape (samples, *event_shape)",
        )
    if array.size == 0:
        raise DataError(given=f"data of shape {array.shape}", expected="events with entries", fix="drop the empty axis")
    rows = array.reshape(len(array), -1)
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise DataError(
            given=f"{len(bad)} of {len(rows)} rows with NaN or infinite entries (rows {_some(bad)})",
            expected="finite data",
            fix="drop them: data[numpy.isfinite(data.reshape(len(data), -1)).all(axis=1)]",
        )
    constant = np.flatnonzero(np.ptp(rows, axis=0) == 0)
    if len(constant):
        raise DataError(
            given=f"{len(constant)} constant column(s) of the flattened event (columns {_some(constant)})",
            expected="entries that vary; a constant has no density",
            fix="drop these columns, or add the noise that rounded them: data + rng.uniform(size=data.shape)",
        )
    return array


def check_params(kernel: KernelLike, params: Mapping, levels: Levels | None) -> None:
    """Every parameter but the level has a value, and nothing else has; or `ParameterError`."""
    level = None if kernel.level is None else kernel.level.name
    names = {p.name for p in kernel.params}
    wanted = sorted(names - {level})
    if level in params:
        raise ParameterError(
            given=f"params with the level {level!r}",
            expected="the level in levels=, the other parameters in params=",
            fix=f"leave {level!r} out of params and pass levels=sd.geometric(least, most)",
        )
    unknown, missing = sorted(set(params) - names), sorted(set(wanted) - set(params))
    if unknown or missing:
        raise ParameterError(
            given="; ".join(
                [f"unknown parameter(s) {', '.join(unknown)}"] * bool(unknown)
                + [f"no value for {', '.join(missing)}"] * bool(missing)
            ),
            expected=f"params with exactly: {', '.join(wanted) or 'nothing'}",
            fix="params={" + ", ".join(f"{name!r}: ..." for name in wanted) + "}",
        )
    if (level is None) != (levels is None):
        raise ParameterError(
            given="no levels" if levels is None else f"levels={levels}",
            expected=f"a range for the level {level!r}" if level else "no levels: this kernel was declared without one",
            fix="pass levels=sd.geometric(least, most)"
            if level
            else "declare the kernel with level=..., or drop levels",
        )


def check_turns(kernel: KernelLike, support, standardise: bool) -> None:
    """That angles stay angles; or `ParameterError`."""
    if getattr(kernel, "period", None) is not None and (standardise or support is not None):
        raise ParameterError(
            given=("standardise=True" if standardise else f"support={support!r}") + " with a kernel on the circle",
            expected=f"angles as they are: the kernel has the period {kernel.period} in them",
            fix="leave it out; angles may be of any turn",
        )


def check_validity(
    kernel: KernelLike,
    params: Mapping,
    levels: Levels | None,
    unchecked: bool,
    clean: Array | None = None,
    objective: Objective = dsm,
) -> None:
    """`ValidityError` where the identity fails here, a warning where only the variance does or nothing is decided.

    It is judged at five levels, and where a condition speaks of the clean value at quantiles of `clean`.
    """
    regularity = kernel.check()
    warned = set()
    for end in (None,) if levels is None else [float(level) for level in levels.grid(5)]:
        values = dict(params) if end is None else {**params, kernel.level.name: end}
        verdict = regularity.judge(**values)
        if None in (verdict.identity, verdict.variance) and clean is not None:
            verdict = regularity.judge(np.quantile(np.asarray(clean), np.linspace(0, 1, 11)).tolist(), **values)
        shown = ", ".join(f"{k}={float(v):.4g}" for k, v in values.items() if np.ndim(v) == 0)
        at = f" at {shown}" if shown else ""
        if verdict.identity is False and not unchecked:
            raise ValidityError(
                given=f"a kernel for which score matching is wrong{at}: {verdict.reason}",
                expected="a kernel whose identity holds (see kernel.check())",
                fix=verdict.remedy or "choose another kernel; unchecked=True trains anyway",
            )
        _check_needs(objective, verdict, at)
        told = {
            "score matching is wrong": verdict.identity is False,
            "Whether score matching is valid is undecided": verdict.identity is None and not unchecked,
            "The target's variance is infinite": verdict.variance is False,
            "The level score cannot be matched": objective.needs_energy and verdict.level is False,
        }
        for words in [w for w, true in told.items() if true and w not in warned]:
            warned.add(words)
            warnings.warn(f"{words}{at}: {verdict.reason} {verdict.remedy}", stacklevel=3)


def _check_needs(objective: Objective, verdict: Verdict, at: str) -> None:
    """What this objective needs besides the identity; or `ValidityError`."""
    if objective.needs_mean and verdict.mean is not True:
        raise ValidityError(
            given=f"objective={objective.name!r} for a kernel whose E[score | x] is not known to be finite{at}",
            expected="a known mean of the target, which is subtracted (see kernel.check(), mean of the target)",
            fix='use objective="dsm", or sd.objectives.controlled(mean) with the mean as a function of (x, u)',
        )
    if objective.by_parts and verdict.boundary is False:
        raise ValidityError(
            given=f"objective={objective.name!r} for a kernel whose p times score does not vanish at an end{at}",
            expected="Hyvarinen's boundary condition (see kernel.check()): implicit score matching integrates by parts",
            fix='use objective="dsm", which needs no such condition, or kernel.change(sp.log) for positive values',
        )


def check_pair(net, objective: Objective, kernel: KernelLike) -> None:
    """That network, objective and kernel go together."""
    if not isinstance(net, AbstractEnergy | AbstractScore | AbstractDenoiser):
        raise FitError(
            given=f"a network of type {type(net).__name__}",
            expected="sd.Energy, sd.Score, sd.Denoiser or a subclass of their abstract types",
            fix="subclass symdsm.learning.networks.AbstractEnergy, so that the type tells what it returns",
        )
    if objective.needs_energy and not isinstance(net, AbstractEnergy):
        raise EnergyRequired(
            given=f'objective="dual" with a {type(net).__name__}',
            expected="an energy: dual matches the level derivative of one scalar; dsm takes any",
            fix='use sd.Energy(event_shape, key=key), or objective="dsm"',
        )
    if objective.reconstructs and not isinstance(net, AbstractDenoiser):
        raise FitError(
            given=f"objective={objective.name!r} with a {type(net).__name__}",
            expected="a denoiser: it trains the reconstruction of the clean event",
            fix='use sd.Denoiser(event_shape, key=key) or sd.Autoencoder, or objective="dsm" for this network',
        )
    if objective.needs_energy and kernel.level is None:
        raise DerivationError(
            given='objective="dual" for a kernel without a level',
            expected="a kernel declared with level=...",
            fix='declare the level, or use objective="dsm"',
        )


def check_event(net, noise_shape: tuple[int, ...]) -> None:
    """That the network takes one noisy event; or `ShapeError`."""
    if tuple(net.event_shape) != noise_shape:
        raise ShapeError(
            given=f"a network for events of shape {tuple(net.event_shape)}",
            expected=f"{noise_shape}, the shape of one noisy event of these data",
            fix=f"build the network with event_shape={noise_shape}, or reshape the data",
        )


def check_context(net, context, rows: int) -> Array | None:
    """`context` as a float array (rows, *context_shape) that goes with the network, or None; `DataError` for NaN."""
    shape = getattr(net, "context_shape", None)
    if (context is None) != (shape is None):
        raise ShapeError(
            given=f"a network with context_shape={shape} and {'no' if context is None else 'a'} context",
            expected="both or neither",
            fix="pass context=(rows, *context_shape) to sd.fit, or build the network without context_shape"
            if context is None
            else "build the network with context_shape=context.shape[1:]",
        )
    if context is None:
        return None
    array = np.asarray(context)
    if array.shape != (rows, *shape):
        raise ShapeError(
            given=f"a context of shape {array.shape} for {rows} rows of data",
            expected=f"{(rows, *shape)}, one context for each row",
            fix="pass one context per row, of the network's context_shape",
        )
    bad = np.flatnonzero(~np.isfinite(array.reshape(rows, -1).astype(float)).all(axis=1))
    if len(bad):
        raise DataError(
            given=f"{len(bad)} of {rows} contexts with NaN or infinite entries (rows {_some(bad)})",
            expected="finite contexts",
            fix="drop these rows from data and context",
        )
    return jnp.asarray(array, dtype=float)


def check_support(noise: Noise, data: Array, key: PRNGKeyArray) -> None:
    """That the kernel can be drawn at every row, with finite density and target; or `DataError` naming the
    rows."""

    @jax.jit
    def finite(u, x):
        def one(key, x):
            y, score = noise.target(key, x, u)
            return jnp.isfinite(noise.log_prob(y, x, u)) & jnp.all(jnp.isfinite(score) & jnp.isfinite(y))

        return jax.vmap(one)(jax.random.split(key, len(x)), x)

    for u in (0.0, 1.0):
        bad = np.flatnonzero(~np.asarray(finite(jnp.asarray(u, data.dtype), data)))
        if len(bad):
            raise DataError(
                given=f"{len(bad)} of {len(data)} rows at which the kernel has no finite density or score "
                f"(rows {_some(bad)})",
                expected="clean data inside the kernel's support",
                fix="transform the data, drop the rows, or declare a kernel that lives where the data do",
            )


def check_denoiser(net, affine: bool, objective: Objective) -> None:
    """That a denoiser's score is the kernel's score at its estimate, or is not trained; or `DerivationError`."""
    if isinstance(net, AbstractDenoiser) and not affine and not objective.reconstructs:
        raise DerivationError(
            given=f"a {type(net).__name__} for a kernel whose score is not affine in the clean variable",
            expected="Gaussian-type noise, for which E[x | y] gives the score",
            fix='use sd.Energy or sd.Score, or objective="dae", which reconstructs without a score',
        )


def affine_in_clean(noise: Noise, data: Array, key: PRNGKeyArray) -> bool:
    """Whether grad log p(y | x) is affine in x, tried along chords of data at three levels; on a circle never."""
    noisy = jax.eval_shape(noise.sample, key, data[0], jnp.zeros((), data.dtype))
    if noise.period is not None or noisy.shape != data[0].shape:
        return False
    rows = np.random.default_rng(0).integers(0, len(data), (32, 2))
    a, b = data[rows[:, 0]], data[rows[:, 1]]

    @jax.jit
    def bent(u):
        def one(key, a, b):
            y = noise.sample(key, a, u)
            ends, middle = (noise.score(y, a, u), noise.score(y, b, u)), noise.score(y, a + 0.3 * (b - a), u)
            chord = ends[0] + 0.3 * (ends[1] - ends[0])
            scale = jnp.maximum(jnp.max(jnp.abs(ends[0])), jnp.max(jnp.abs(ends[1])))
            moved = jnp.max(jnp.abs(ends[1] - ends[0])) / (scale + 1e-30)
            return jnp.max(jnp.abs(middle - chord)) / (scale + 1e-30), moved

        miss, moved = jax.vmap(one)(jax.random.split(key, len(a)), a, b)
        return jnp.max(miss), jnp.max(moved)

    found = [tuple(map(float, bent(jnp.asarray(u, data.dtype)))) for u in (0.0, 0.5, 1.0)]
    return all(miss < 1e-3 and moved > 1e-6 for miss, moved in found)
