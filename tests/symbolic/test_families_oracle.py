"""Every kernel of the registry against its oracle: log density, score, gradient, level score, support.

In float64 values agree to 1e-9 relative; in float32 to 1e-6 of the local scale; both plus the change that
moving each input by 2 units in its last place makes (tests.kernels.compare). One kernel is compiled once. The
fast suite tries one kernel of each kind; `-m slow` tries them all. `python -m benchmarks.families` prints the table.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import gammaln
from mpmath import mp

from tests.kernels import compare
from tests.registry import CASES, FAST, find


def key(case):
    return f"{case.group}:{case.name}"


ROWS = [pytest.param(c, id=key(c), marks=() if key(c) in FAST else pytest.mark.slow) for c in CASES]


def wrong(found):
    return {
        name: f"{worst.ratio:.3g} times the allowed error at {worst.where}"
        for name, worst in found.items()
        if not worst.right
    }


def laws(case, program):
    """(law, what is wrong) for each law that the case is about; the rows from scipy.stats are held to the first two."""
    yield "interior, float64", wrong(compare.compare(case, program, "interior", "ordinary", np.float64))
    yield "gradient", wrong({"gradient": compare.compare_gradient(case, program)})
    if case.group == "scipy.stats":
        return
    yield "tails, float64", wrong(compare.compare(case, program, "tails", "ordinary", np.float64))
    for region in ("interior", "tails"):
        yield f"{region}, float32", wrong(compare.compare(case, program, region, "ordinary", np.float32))
        if case.large:
            yield f"{region}, large shapes", wrong(compare.compare(case, program, region, "large", np.float64))
    if case.outside(case.params):
        yield "outside the support", wrong({"log_prob": compare.outside(case, program, np.float64)})
    if case.level:
        yield "level score", wrong({"level_score": compare.compare_level(case, program)})


@pytest.mark.parametrize("case", ROWS)
def test_laws(case):
    """One kernel, compiled once, against its oracle in every law (float32 at shapes of 400: see the command)."""
    program = find(key(case)).declare().compile()
    assert not {law: faults for law, faults in laws(case, program) if faults}


class Handwritten:
    """Gamma speckle by hand: a program that the laws must accept, and the faults they must see."""

    def __init__(self, fault=None):
        self.fault = fault

    def log_prob(self, y, x, L):
        value = L * jnp.log(L) + (L - 1) * jnp.log(y / x) - L * y / x - gammaln(L) - jnp.log(x)
        if self.fault == "constant":
            value = value + 1e-7
        return value if self.fault == "support" else jnp.where(y > 0, value, -jnp.inf)

    def score(self, y, x, L):
        return (L - 1) / y - L / x * (1 + 1e-7 if self.fault == "score" else 1)

    def sample(self, draw, x, L):
        return x * jax.random.gamma(draw, L + (0.2 if self.fault == "sampler" else 0), x.shape) / L


def speckle():
    return find("sympy.stats:Gamma")


def test_the_laws_accept_a_right_program():
    for region in ("interior", "tails"):
        for dtype in (np.float64, np.float32):
            assert not wrong(compare.compare(speckle(), Handwritten(), region, "ordinary", dtype))
    assert compare.compare_gradient(speckle(), Handwritten()).right
    assert compare.outside(speckle(), Handwritten(), np.float64).right
    assert compare.sampler_p_value(speckle(), Handwritten()) > 1e-3


def test_the_laws_see_a_planted_fault():
    def found(fault):
        return wrong(compare.compare(speckle(), Handwritten(fault), "interior", "ordinary", np.float64))

    assert set(found("constant")) == {"log_prob"}
    assert set(found("score")) == {"score"}
    assert not compare.outside(speckle(), Handwritten("support"), np.float64).right
    assert compare.sampler_p_value(speckle(), Handwritten("sampler")) < 1e-6


def test_a_planted_wrong_oracle_fails():
    """A law with a slightly different shape, and one without its Jacobian, are both told apart."""
    true = speckle().oracle
    shifted = replace(speckle(), oracle=lambda y, x, p: true(y, x, p | {"L": p["L"] * (1 + mp.mpf(10) ** -6)}))
    no_jacobian = replace(speckle(), oracle=lambda y, x, p: true(y, x, p) + mp.log(x))
    assert set(wrong(compare.compare(shifted, Handwritten(), "interior", "ordinary", np.float64))) == {
        "log_prob",
        "score",
    }
    assert set(wrong(compare.compare(no_jacobian, Handwritten(), "interior", "ordinary", np.float64))) == {"log_prob"}
