"""Truth at high precision, and how far a float may be from it.

An oracle is a function log_density(y, x, params) of mpf numbers. Its score is the central difference with step
h = 1e-20 of the scale of y at 60 digits: the truncation is of relative order h^2 = 1e-40 and the rounding of
order 1e-60/h = 1e-40, so some 30 digits are right, and no derivative is taken by hand.

An `allowance` is the change of a value when each input (y, x and every parameter) moves by 2 units in its last
place, summed over the inputs: no algorithm that rounds its inputs can promise more. It costs many times what the value
does, so it is computed when it is asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from mpmath import mp, mpf

DIGITS = 60
STEP = mpf(10) ** -20


@dataclass(frozen=True)
class Truth:
    """Log density and score at one point, and what moving the inputs by 2 ulp changes in each."""

    log_density: float
    score: float
    moves: Callable[[], tuple[float, float]]

    @cached_property
    def allowances(self) -> tuple[float, float]:
        """What may be lost in the log density and in the score."""
        return self.moves()


def exact(value) -> mpf:
    """The float itself, with no rounding: the library and its oracle see the same number."""
    return mpf(float(value))


def log_density(oracle, y, x, params) -> mpf:
    with mp.workdps(DIGITS):
        return mp.mpf(oracle(exact(y), exact(x), {name: exact(v) for name, v in params.items()}))


def score(oracle, y, x, params) -> mpf:
    with mp.workdps(DIGITS):
        return _score(oracle, exact(y), exact(x), {name: exact(v) for name, v in params.items()})


def parameter_score(oracle, name, y, x, params) -> mpf:
    """d/d(parameter) of the log density: what a level score must equal."""
    with mp.workdps(DIGITS):
        values = {key: exact(v) for key, v in params.items()}
        h = STEP * max(abs(values[name]), mpf(1) / 100)
        up, down = values | {name: values[name] + h}, values | {name: values[name] - h}
        return (oracle(exact(y), exact(x), up) - oracle(exact(y), exact(x), down)) / (2 * h)


def _score(oracle, y, x, params):
    h = STEP * max(abs(y), mpf(1) / 1000)
    return (oracle(y + h, x, params) - oracle(y - h, x, params)) / (2 * h)


def truth(oracle, y, x, params, dtype) -> Truth:
    """The values at (y, x, params) as `dtype` holds them; the allowances are for that dtype."""
    inputs = {"y": dtype.type(y), "x": dtype.type(x)} | {f"p.{k}": dtype.type(v) for k, v in params.items()}
    with mp.workdps(DIGITS):
        value, slope = _evaluate(oracle, {k: exact(v) for k, v in inputs.items()})

    def moves():
        with mp.workdps(DIGITS):
            changes = [_moved(oracle, inputs, name, value, slope) for name in inputs]
            return tuple(float(mp.fsum(column)) for column in zip(*changes, strict=True))

    return Truth(float(value), float(slope), moves)


def _evaluate(oracle, inputs):
    params = {k[2:]: v for k, v in inputs.items() if k.startswith("p.")}
    value = mp.mpf(oracle(inputs["y"], inputs["x"], params))
    slope = _score(oracle, inputs["y"], inputs["x"], params) if mp.isfinite(value) else mp.nan
    return value, slope


def _moved(oracle, inputs, name, value, slope):
    """How far both values go, the worse of two directions, when input `name` moves by 2 ulp."""
    changes = []
    for towards in (np.inf, -np.inf):
        there = inputs[name]
        for _ in range(2):
            there = np.nextafter(there, there.dtype.type(towards))
        v, s = _evaluate(oracle, {k: exact(u) for k, u in (inputs | {name: there}).items()})
        changes.append((abs(v - value), abs(s - slope)))
    finite = [c for c in changes if mp.isfinite(c[0]) and mp.isfinite(c[1])]
    # A move across the edge of the support says nothing about rounding inside it.
    return (max(c[0] for c in finite), max(c[1] for c in finite)) if finite else (mpf(0), mpf(0))
