"""A compiled kernel of a few coordinates against its oracle, by the rule of tests/kernels/compare.py.

The score has one entry for each coordinate; in float32 the local scale of an entry is the largest of them plus
1/(IQR + |y - centre|) of its coordinate, since rounding in one coordinate reaches all.
"""

import jax
import numpy as np
from scipy.stats import kstest

from tests.kernels.compare import FLOOR, LOCAL, RELATIVE, Worst, evaluate, worst
from tests.kernels.joint import JointCase
from tests.oracles import precise

__all__ = ["compare", "compare_gradient", "compare_level", "outside", "sampler_p_value"]


def _along(case: JointCase, i: int, y, x, params):
    """The oracle as a function of coordinate i, the other coordinates and clean values among the parameters."""
    others = {f"y.{j}": v for j, v in enumerate(y) if j != i} | {f"x.{j}": v for j, v in enumerate(x) if j}

    def oracle(own, first, p):
        whole = [own if j == i else p[f"y.{j}"] for j in range(len(y))]
        return case.log_density(whole, [first, *(p[f"x.{j}"] for j in range(1, len(x)))], p)

    return oracle, params | others


def _truth(case, y, x, params, dtype):
    facts = []
    for i in range(len(y)):
        oracle, rest = _along(case, i, y, x, params)
        facts.append(precise.truth(oracle, y[i], x[0], rest, dtype))
    return facts


def _batch(case: JointCase, region: str, shapes: str, dtype):
    dtype, params = np.dtype(dtype), case.values(shapes)
    points = [(np.asarray(y, dtype), np.asarray(x, dtype)) for y, x in getattr(case, region)(params)]
    facts = [_truth(case, y, x, params, dtype) for y, x in points]
    value = np.array([f[0].log_density for f in facts])
    slope = case.tangent(np.array([[g.score for g in f] for f in facts]))
    room = np.array([f[0].allowances[0] for f in facts])
    slope_room = np.array([[g.allowances[1] for g in f] for f in facts])
    slope_room = slope_room + np.mean(slope_room, -1, keepdims=True) if case.simplex else slope_room
    if dtype == np.float64:
        room, slope_room = room + RELATIVE * np.abs(value), slope_room + RELATIVE * np.abs(slope).max(-1, keepdims=True)
    else:
        scales = [case.spread([float(v) for v in x], params) for _, x in points]
        reach = [np.asarray(iqr) + np.abs(y - np.asarray(m)) for (m, iqr), (y, _) in zip(scales, points, strict=True)]
        room = room + LOCAL * np.maximum(1, np.abs(value))
        slope_room = slope_room + LOCAL * (np.abs(slope).max(-1, keepdims=True) + 1 / np.array(reach))
    y, x = (np.stack(v) for v in zip(*points, strict=True))
    return y, x[:, 0] if x.shape[1] == 1 else x, value, slope, room + FLOOR, slope_room + FLOOR


def compare(case: JointCase, program, region: str, shapes: str, dtype) -> dict[str, Worst]:
    """The worst of log_prob and of the score's entries on one region."""
    y, x, value, slope, room, slope_room = _batch(case, region, shapes, dtype)
    params = case.values(shapes)
    found = evaluate(program.log_prob, y, x, params, dtype)
    entries = evaluate(program.score, y, x, params, dtype)
    clean = x if x.ndim == 1 else x[:, 0]
    out = {"log_prob": worst(found, value, room, y[:, 0], clean)}
    for i in range(case.size):
        out[f"score {i}"] = worst(entries[:, i], slope[:, i], slope_room[:, i], y[:, i], clean)
    return out


def compare_gradient(case: JointCase, program) -> Worst:
    """jax.grad of log_prob at interior points in float64."""
    y, x, _, slope, _, slope_room = _batch(case, "interior", "ordinary", np.float64)

    def gradient(y, x, **params):
        return jax.grad(lambda v: program.log_prob(v, x, **params).sum())(y)

    found = evaluate(gradient, y, x, case.params, np.float64)
    rows = [worst(found[:, i], slope[:, i], slope_room[:, i], y[:, i], y[:, 0]) for i in range(case.size)]
    return max(rows, key=lambda w: w.ratio)


def compare_level(case: JointCase, program) -> Worst:
    """The level score against the oracle's derivative in the level, at interior points in float64."""
    points = case.interior(case.params)
    truth = []
    for y, x in points:
        oracle, rest = _along(case, 0, y, x, case.params)
        truth.append(float(precise.parameter_score(oracle, case.level, y[0], x[0], rest)))
    y, x = (np.stack([np.asarray(v, float) for v in column]) for column in zip(*points, strict=True))
    x = x[:, 0] if x.shape[1] == 1 else x
    found = evaluate(program.level_score, y, x, case.params, np.float64)
    truth = np.array(truth)
    allowed = 1e-8 * (np.abs(truth) + 1 / case.params[case.level])
    return worst(found, truth, allowed, y[:, 0], y[:, 1])


def outside(case: JointCase, program, dtype) -> Worst:
    """log_prob is minus infinity outside the support: 0 if so, infinite otherwise."""
    points = case.outside(case.params)
    y, x = (np.stack([np.asarray(v, dtype) for v in column]) for column in zip(*points, strict=True))
    x = x[:, 0] if x.shape[1] == 1 else x
    found = evaluate(program.log_prob, y, x, case.params, dtype)
    return worst(found, np.full(len(y), -np.inf), np.ones(len(y)), y[:, 0], y[:, 1])


def sampler_p_value(case: JointCase, program, draws: int = 4000) -> float:
    """The smallest Kolmogorov-Smirnov p-value over the clean values and the linear functions of y."""
    found = []
    with jax.enable_x64(True):
        params = {name: np.asarray(v, float) for name, v in case.params.items()}
        draw = jax.jit(lambda key, x: program.sample(key, x, **params))
        for n, x in enumerate(case.clean):
            wide = np.full(draws, x[0]) if len(x) == 1 else np.tile(np.asarray(x, float), (draws, 1))
            y = np.asarray(draw(jax.random.fold_in(jax.random.key(2026), n), wide))
            found += [kstest(y @ np.asarray(w, float), cdf).pvalue for w, cdf in case.marginals(x, case.params)]
    return float(np.nanmin(found)) if np.isfinite(found).all() else 0.0
