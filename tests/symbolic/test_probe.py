"""Random numbers that respect assumptions, and the numeric face of nodes."""

import random

import mpmath
import pytest
import sympy as sp
import sympy.stats as st

import symdsm as sd
from symdsm.symbolic.constructors import from_random
from symdsm.symbolic.nodes import LogNdtr
from symdsm.symbolic.probe import numeric, probes, value_for

x = sp.Symbol("x", real=True)
xp, s, b = sp.symbols("x s b", positive=True)


@pytest.mark.parametrize(
    "symbol, admissible",
    [
        (sp.Symbol("a", positive=True), lambda v: v > 0),
        (sp.Symbol("a", negative=True), lambda v: v < 0),
        (sp.Symbol("a", nonnegative=True), lambda v: v >= 0),
        (sp.Symbol("a", integer=True), lambda v: v == int(v)),
        (sp.Symbol("a", real=True), lambda v: mpmath.isfinite(v)),
    ],
)
def test_values_respect_the_assumptions(symbol, admissible):
    rng = random.Random(0)
    assert all(admissible(value_for(symbol, rng)) for _ in range(100))


def test_probes_are_where_the_density_is_defined():
    narrow = from_random(st.Beta("y", xp * b, (1 - xp) * b), xp)
    found = probes(narrow, 5)
    assert len(found) == 5 and all(0 < p[xp] < 1 and p[b] > 0 for p in found)
    assert probes(narrow, 5) == found
    vp = from_random(sp.sqrt(1 - s**2) * x + s * st.Normal("e", 0, 1), x)
    assert all(p[s] < 1 for p in probes(vp, 5))


def test_numeric_reads_nodes_at_any_precision():
    f = numeric(LogNdtr(x) + x**2, [x])
    with mpmath.workdps(40):
        assert abs(f(mpmath.mpf(-30)) - 900 - mpmath.log(mpmath.erfc(30 / mpmath.sqrt(2)) / 2)) < 1e-35


def test_probes_draw_real_noisy_values():
    """The variance of the VE kernel is negative for sigma_max < sigma_min, where log |.| would still be a number."""
    declaration = sd.families.ve()._declaration
    found = [{str(s): v for s, v in point.items()} for point in probes(declaration, 6)]
    assert len(found) == 6
    assert all(p["sigma_max"] > p["sigma_min"] for p in found)
