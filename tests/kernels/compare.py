"""A compiled kernel against its oracle: how large is the error, in units of what is allowed?

float64: 1e-9 of the value. float32: 1e-6 of the local scale, which is max(1, |log p|) for the log
density and |score| + 1/(IQR + |y - median|) for the score. Both may add what moving each input by 2
units in its last place changes. A ratio of at most 1 is right; nan, and a number where an infinity is
due, are wrong beyond measure.
"""

from dataclasses import dataclass

import jax
import numpy as np

from tests.kernels import goodness
from tests.kernels.case import Case
from tests.oracles import precise

RELATIVE = 1e-9
LOCAL = 1e-6
FLOOR = 1e-25  # what is smaller is lost in the oracle's own difference, and 0 must equal 0


@dataclass(frozen=True)
class Batch:
    """Points with their truth and the errors allowed there; arrays of one length."""

    y: np.ndarray
    x: np.ndarray
    log_density: np.ndarray
    score: np.ndarray
    log_density_allowed: np.ndarray
    score_allowed: np.ndarray


@dataclass(frozen=True)
class Worst:
    """The largest error in units of the allowed one, and where it is."""

    ratio: float
    where: str

    @property
    def right(self) -> bool:
        return self.ratio <= 1


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
    room = room + [f.log_density_allowance for f in facts] + FLOOR
    slope_room = slope_room + [f.score_allowance for f in facts] + FLOOR
    return Batch(y, x, value, slope, room, slope_room)


def evaluate(function, y, x, params, dtype):
    """One of a program's functions on arrays of `dtype`, in the precision that a user of `dtype` has."""
    with jax.enable_x64(np.dtype(dtype) == np.float64):
        values = {name: np.asarray(v, dtype) for name, v in params.items()}
        return np.asarray(jax.jit(function)(np.asarray(y, dtype), np.asarray(x, dtype), **values))


def worst(found, truth, allowed, y, x) -> Worst:
    """The largest |found - truth| / allowed; an infinity that `found`'s type cannot avoid counts as right."""
    if not len(truth):
        return Worst(0.0, "")
    beyond = np.abs(truth) > np.finfo(found.dtype).max
    with np.errstate(invalid="ignore", over="ignore"):
        ratio = np.abs(found.astype(float) - truth) / allowed
    ratio = np.where(beyond, np.where(found == np.sign(truth) * np.inf, 0.0, np.inf), ratio)
    ratio = np.where(np.isnan(ratio), np.inf, ratio)
    i = int(np.argmax(ratio))
    return Worst(float(ratio[i]), f"y={y[i]:.8g}, x={x[i]:.5g}: {found[i]:.9g}, truth {truth[i]:.9g}")


def compare(case: Case, program, region: str, shapes: str, dtype) -> dict[str, Worst]:
    """The worst of log_prob and of score on one region."""
    points, params = batch(case, region, shapes, dtype), case.values(shapes)
    if not len(points.y):
        return {"log_prob": Worst(0.0, ""), "score": Worst(0.0, "")}
    value = evaluate(program.log_prob, points.y, points.x, params, dtype)
    slope = evaluate(program.score, points.y, points.x, params, dtype)
    return {
        "log_prob": worst(value, points.log_density, points.log_density_allowed, points.y, points.x),
        "score": worst(slope, points.score, points.score_allowed, points.y, points.x),
    }


def compare_gradient(case: Case, program) -> Worst:
    """jax.grad of log_prob at interior points in float64."""
    points = batch(case, "interior", "ordinary", np.float64)

    def gradient(y, x, **params):
        return jax.vmap(lambda a, b: jax.grad(lambda v: program.log_prob(v, b, **params).sum())(a))(y, x)

    found = evaluate(gradient, points.y, points.x, case.params, np.float64)
    return worst(found, points.score, points.score_allowed, points.y, points.x)


def compare_level(case: Case, program) -> Worst:
    """The level score against the oracle's derivative in the level, at interior points in float64."""
    points = batch(case, "interior", "ordinary", np.float64)
    truth = np.array(
        [
            float(precise.parameter_score(case.log_density, case.level, y, x, case.params))
            for y, x in zip(points.y, points.x, strict=True)
        ]
    )
    found = evaluate(program.level_score, points.y, points.x, case.params, np.float64)
    return worst(found, truth, 1e-8 * (np.abs(truth) + 1 / case.params[case.level]), points.y, points.x)


def outside(case: Case, program, dtype) -> Worst:
    """log_prob is minus infinity outside the support: 0 if so, infinite otherwise."""
    points = case.outside(case.params)
    if not points:
        return Worst(0.0, "")
    y, x = (np.array(v, dtype) for v in zip(*points, strict=True))
    found = evaluate(program.log_prob, y, x, case.params, dtype)
    return worst(found, np.full(len(y), -np.inf), np.ones(len(y)), y, x)


def sampler_p_value(case: Case, program) -> float:
    """The smallest Kolmogorov-Smirnov p-value over the clean values, of float64 draws from fixed keys."""
    inverse = "inverse_cdf" in getattr(program, "source", "")
    return min(goodness.case_p_values(case, goodness.sampler(program.sample, inverse)))
