"""A compiled kernel against its oracle: how large is the error, in units of what is allowed?

float64: 1e-9 of the value. float32: 1e-6 of the local scale, which is max(1, |log p|) for the log
density and |score| + 1/(IQR + |y - median|) for the score. Both may add what moving each input by 2
units in its last place changes. A ratio of at most 1 is right; nan, and a number where an infinity is
due, are wrong beyond measure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

import jax
import numpy as np

from tests.kernels import goodness
from tests.kernels.case import Case
from tests.oracles import precise

RELATIVE = 1e-9
LOCAL = 1e-6
FLOOR = 1e-25  # what is smaller is lost in the oracle's own difference, and 0 must equal 0
WIDTH = 32  # points are padded to a multiple of it, so that all regions of a kernel share what is compiled


@dataclass(frozen=True, eq=False)
class Batch:
    """Points with their truth and the errors allowed there; arrays of one length.

    `moved(i)` is what rounding the inputs of point i changes in the log density and in the score."""

    y: np.ndarray
    x: np.ndarray
    log_density: np.ndarray
    score: np.ndarray
    log_density_room: np.ndarray
    score_room: np.ndarray
    moved: Callable[[int], tuple[float, float]]


@dataclass(frozen=True)
class Worst:
    """The largest error in units of the allowed one, and where it is."""

    ratio: float
    where: str

    @property
    def right(self) -> bool:
        return self.ratio <= 1


@cache
def batch(case: Case, region: str, shapes: str, dtype) -> Batch:
    """The interior or the tails of a case, rounded to `dtype`, and the truth at the rounded points."""
    dtype, params = np.dtype(dtype), case.values(shapes)
    points = [(dtype.type(y), dtype.type(x)) for y, x in getattr(case, region)(params)]
    points = [(y, x) for y, x in points if case.inside(y, x, {k: dtype.type(v) for k, v in params.items()})]
    facts = [precise.truth(case.log_density, y, x, params, dtype) for y, x in points]
    value, slope = np.array([f.log_density for f in facts]), np.array([f.score for f in facts])
    y, x = (np.array(v, dtype) for v in zip(*points, strict=True)) if points else (np.zeros(0, dtype),) * 2
    if dtype == np.float64:
        room, slope_room = RELATIVE * np.abs(value), RELATIVE * np.abs(slope)
    else:
        middle, iqr = np.array([case.spread(float(v), params) for v in x]).T
        room = LOCAL * np.maximum(1, np.abs(value))
        slope_room = LOCAL * (np.abs(slope) + 1 / (iqr + np.abs(y - middle)))
    return Batch(y, x, value, slope, room + FLOOR, slope_room + FLOOR, lambda i: facts[i].allowances)


def evaluate(function, y, x, params, dtype):
    """A function of a program on arrays of `dtype`, in the precision that a user of `dtype` has."""
    with jax.enable_x64(np.dtype(dtype) == np.float64):
        values = {name: np.asarray(v, dtype) for name, v in params.items()}
        return jax.tree.map(np.asarray, jax.jit(function)(np.asarray(y, dtype), np.asarray(x, dtype), **values))


@lru_cache(maxsize=16)
def functions(program, double: bool, level: bool):
    """log_prob and score in one compilation; in double precision the gradient of log_prob too, and the level score."""

    @jax.jit
    def values(y, x, /, **params):
        found = {"log_prob": program.log_prob(y, x, **params), "score": program.score(y, x, **params)}
        if double:
            slope = jax.grad(lambda v, b: program.log_prob(v, b, **params).sum())
            found["gradient"] = jax.vmap(slope)(y, x)
        if level:
            found["level_score"] = program.level_score(y, x, **params)
        return found

    return values


def values_at(case: Case, program, y, x, params, dtype) -> dict[str, np.ndarray]:
    """What `functions` gives at the points."""
    double, short = np.dtype(dtype) == np.float64, -len(y) % WIDTH
    level = double and case.level is not None and hasattr(program, "level_score")
    y, x = (np.concatenate([a, np.repeat(a[:1], short)]) for a in (y, x))
    found = evaluate(functions(program, double, level), y, x, params, dtype)
    return {name: values[: len(y) - short] for name, values in found.items()}


def worst(found, truth, room, y, x, moved=None) -> Worst:
    """The largest |found - truth| / allowed; an infinity that `found`'s type cannot avoid counts as right.

    Allowed is `room`; where that is not enough, what rounding the inputs of point i moves, `moved(i)`, is added.
    """
    if not len(truth):
        return Worst(0.0, "")
    beyond = np.abs(truth) > np.finfo(found.dtype).max
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(found.astype(float) - truth)
        ratio = error / room
    if moved is not None:
        for i in np.flatnonzero(np.isfinite(error) & ~(ratio <= 1)):
            ratio[i] = error[i] / (room[i] + moved(i))
    ratio = np.where(beyond, np.where(found == np.where(truth > 0, np.inf, -np.inf), 0.0, np.inf), ratio)
    ratio = np.where(np.isnan(ratio), np.inf, ratio)
    i = int(np.argmax(ratio))
    return Worst(float(ratio[i]), f"y={y[i]:.8g}, x={x[i]:.5g}: {found[i]:.9g}, truth {truth[i]:.9g}")


def compare(case: Case, program, region: str, shapes: str, dtype) -> dict[str, Worst]:
    """The worst of log_prob and of score on one region."""
    points = batch(case, region, shapes, dtype)
    if not len(points.y):
        return {"log_prob": Worst(0.0, ""), "score": Worst(0.0, "")}
    found = values_at(case, program, points.y, points.x, case.values(shapes), dtype)
    return {"log_prob": _log_densities(points, found["log_prob"]), "score": _slopes(points, found["score"])}


def _log_densities(points: Batch, found) -> Worst:
    return worst(found, points.log_density, points.log_density_room, points.y, points.x, lambda i: points.moved(i)[0])


def _slopes(points: Batch, found) -> Worst:
    return worst(found, points.score, points.score_room, points.y, points.x, lambda i: points.moved(i)[1])


def compare_gradient(case: Case, program) -> Worst:
    """jax.grad of log_prob at interior points in float64."""
    points = batch(case, "interior", "ordinary", np.float64)
    return _slopes(points, values_at(case, program, points.y, points.x, case.params, np.float64)["gradient"])


def compare_level(case: Case, program) -> Worst:
    """The level score against the oracle's derivative in the level, at interior points in float64."""
    points = batch(case, "interior", "ordinary", np.float64)
    truth = np.array(
        [
            float(precise.parameter_score(case.log_density, case.level, y, x, case.params))
            for y, x in zip(points.y, points.x, strict=True)
        ]
    )
    found = values_at(case, program, points.y, points.x, case.params, np.float64)["level_score"]
    return worst(found, truth, 1e-8 * (np.abs(truth) + 1 / case.params[case.level]), points.y, points.x)


def outside(case: Case, program, dtype) -> Worst:
    """log_prob is minus infinity outside the support: 0 if so, infinite otherwise."""
    points = case.outside(case.params)
    if not points:
        return Worst(0.0, "")
    y, x = (np.array(v, dtype) for v in zip(*points, strict=True))
    found = values_at(case, program, y, x, case.params, dtype)["log_prob"]
    return worst(found, np.full(len(y), -np.inf), np.ones(len(y)), y, x)


def sampler_p_value(case: Case, program) -> float:
    """The smallest Kolmogorov-Smirnov p-value over the clean values, of float64 draws from fixed keys."""
    inverse = "inverse_cdf" in getattr(program, "source", "")
    return min(goodness.case_p_values(case, goodness.sampler(program.sample, inverse)))
