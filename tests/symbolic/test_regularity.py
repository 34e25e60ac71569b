"""The conditions of denoising score matching on kernels with labels derived by hand.

A label says (identity, finite variance) of the kernel at ordinary parameters: density ~ d^q next to a moving edge,
the identity holds iff q > 0; E score^2 is finite iff q + 2r + 1 > 0 where the score ~ d^r (Vincent 2011; edges as in
Hyvarinen 2007). Conditions are SymPy Booleans in the parameters.
"""

from dataclasses import replace

import pytest
import sympy as sp
import sympy.stats as st
from sympy import Abs, Eq, Interval, Or, Piecewise, S, exp, log, oo

from symdsm.symbolic.constructors import change, from_density, from_random, from_sde, mixture
from symdsm.symbolic.regularity import check_regularity

x, y, t = sp.Symbol("x", real=True), sp.Symbol("y", real=True), sp.Symbol("t", positive=True)
xp, yp = sp.symbols("x y", positive=True)
s, L, a, b, k, nu, m, d1, d2, eps = sp.symbols("s L a b k nu m d1 d2 epsilon", positive=True)
e, g = st.Normal("e", 0, 1), st.Gamma("g", L, 1 / L)
YES, NO = sp.true, sp.false
u = (y - x) / s
moving = Interval.open(x, oo)


def random(expr, clean=x, level=None):
    return lambda: from_random(expr, clean, level)


def density(log_f, support=None, noisy=y, clean=x):
    return lambda: from_density(log_f, noisy, clean, support, None, True)


# name: (declaration, identity, identity and variance)
LABELLED = {
    "gaussian": (random(x + s * e), YES, YES),
    "laplace, a kink": (random(x + s * st.Laplace("z", 0, 1)), YES, YES),
    "logistic": (random(x + s * st.Logistic("z", 0, 1)), YES, YES),
    "student t": (random(x + s * st.StudentT("z", nu)), YES, YES),
    "cauchy": (random(x + s * st.Cauchy("z", 0, 1)), YES, YES),
    "gumbel": (random(x + s * st.Gumbel("z", 1, 0)), YES, YES),
    "generalised normal": (density(-(Abs(u) ** b)), YES, b > S.Half),
    "huber": (density(Piecewise((-(u**2) / 2, Abs(u) <= 1), (S.Half - Abs(u), True))), YES, YES),
    "von Mises density": (random(st.VonMises("y", x, k)), YES, YES),
    "poisson-gaussian": (random(xp + sp.sqrt(a * xp + b) * e, xp), YES, YES),
    "speckle": (random(xp * g, xp), YES, Or(L > 2, Eq(L, 1))),
    "exponential in its scale": (random(xp * st.Exponential("z", 1), xp), YES, YES),
    "rayleigh": (random(xp * st.Rayleigh("z", 1), xp), YES, NO),
    "maxwell": (random(xp * st.Maxwell("z", 1), xp), YES, YES),
    "nakagami": (random(xp * st.Nakagami("z", m, 1), xp), YES, Or(m > 1, Eq(m, S.Half))),
    "weibull": (random(xp * st.Weibull("z", 1, a), xp), YES, Or(a > 2, Eq(a, 1))),
    "F": (random(xp * st.FDistribution("z", d1, d2), xp), YES, Or(d1 > 4, Eq(d1, 2))),
    "log-normal": (random(xp * exp(s * e), xp), YES, YES),
    "log-laplace": (random(xp * exp(s * st.Laplace("z", 0, 1)), xp), YES, Or(s < S.Half, Eq(s, 1))),
    "inverse gamma": (random(xp / g, xp), YES, YES),
    "levy": (random(xp * st.Levy("z", 0, 1), xp), YES, YES),
    "frechet": (random(xp * st.Frechet("z", a, 1, 0), xp), YES, YES),
    "inverse gaussian": (random(st.GaussianInverse("y", xp, a), xp), YES, YES),
    "lomax": (random(xp * st.Lomax("z", a, 1), xp), YES, YES),
    "folded normal": (random(xp * Abs(e), xp), YES, YES),
    "kumaraswamy in a": (random(st.Kumaraswamy("y", xp, 3), xp), YES, Or(xp > 2, Eq(xp, 1))),
    "logit-normal": (random(st.LogitNormal("y", x, s)), YES, YES),
    "additive gamma": (random(x + st.Gamma("z", a, s)), a > 1, a > 2),
    "shifted exponential": (random(x + st.Exponential("z", 1)), NO, NO),
    "uniform": (random(x + st.Uniform("z", -s, s)), NO, NO),
    "uniform by density": (density(-log(2 * s), Interval(x - s, x + s)), NO, NO),
    "pareto in its scale": (random(xp * st.Pareto("z", 1, a), xp), NO, NO),
    "arcsine": (random(x + s * st.Arcsin("z", -1, 1)), NO, NO),
    "semicircle": (random(x + s * st.WignerSemicircle("z", 1)), YES, NO),
    "triangular": (random(x + s * st.Triangular("z", -1, 1, 0)), YES, NO),
    "epanechnikov": (density(log(1 - u**2), Interval.open(x - s, x + s)), YES, NO),
    "biweight, cubed": (density(3 * log(1 - u**2), Interval.open(x - s, x + s)), YES, YES),
    "raised cosine": (random(x + s * st.RaisedCosine("z", 0, 1)), YES, YES),
    "moving step": (density(Piecewise((-Abs(u), u < 0), (-Abs(u) - 1, True))), NO, NO),
    "step in |u|": (density(Piecewise((log(2) - Abs(u), Abs(u) < 1), (-Abs(u), True))), NO, NO),
    "fixed step": (density(Piecewise((-(u**2), y < 0), (-(u**2) - 1, True))), YES, YES),
    "half-line from x": (density(-(y - x) / s, moving), NO, NO),
    "variance preserving": (lambda: from_sde(-x / 2, S.One, x, t), YES, YES),
    "mixture with laplace": (
        lambda: mixture(
            ((from_random(x + s * e, x), a / (1 + a)), (from_random(x + st.Laplace("z", 0, 1), x), 1 / (1 + a)))
        ),
        YES,
        YES,
    ),
    "mixture with a uniform": (
        lambda: mixture(((from_random(x + s * e, x), a), (from_random(x + st.Uniform("z", 0, 1), x), 1 - a))),
        NO,
        NO,
    ),
    "rayleigh in logarithms": (lambda: change(from_random(xp * st.Rayleigh("z", 1), xp), log), YES, YES),
}
SLOW = {"F", "kumaraswamy in a", "logit-normal", "raised cosine", "fixed step", "arcsine", "variance preserving"}
NAMES = [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in LABELLED]


def disagreements(name, label):
    declare, _, _ = LABELLED[name]
    found = check_regularity(declare())
    return [(f, g) for f, g in zip((found.identity_holds, found.holds), label, strict=True) if f != g]


@pytest.mark.parametrize("name", NAMES)
def test_verdict_is_the_hand_label(name):
    assert disagreements(name, LABELLED[name][1:]) == []


@pytest.mark.parametrize("name, wrong", [("gaussian", (YES, NO)), ("uniform", (YES, YES)), ("speckle", (YES, L > 2))])
def test_a_wrong_label_is_noticed(name, wrong):
    assert disagreements(name, wrong)


def test_a_moving_edge_is_named():
    found = check_regularity(LABELLED["shifted exponential"][0]())
    (edge,) = [f for f in found.findings if f.verdict == "fails" and f.row == "edges"]
    assert "the edge x moves with x" in edge.reason
    assert "whole line" in found.remedies[0] and "Gamma" in found.remedies[1]
    assert "No." in str(found)


def test_judgement_at_numbers():
    found = check_regularity(LABELLED["speckle"][0]())
    assert [found.judge(L=value).variance for value in (4.0, 2.0, 1.5, 1.0)] == [True, False, False, True]
    assert found.judge(L=1.5).identity is True and "log" in found.judge(L=1.5).remedy
    assert found.judge().variance is None


# For a level the support must not move with it, and the score in it must have a second moment.
LEVELS = {
    "gaussian": (from_random(x + s * e, x, s), YES),
    "laplace": (from_random(x + s * st.Laplace("z", 0, 1), x, s), YES),
    "gumbel": (from_random(x + s * st.Gumbel("z", 1, 0), x, s), YES),
    "log-normal": (from_random(xp * exp(s * e), xp, s), YES),
    "speckle in its looks": (from_random(xp * g, xp, L), YES),
    "uniform": (from_random(x + st.Uniform("z", -s, s), x, s), NO),
    "semicircle": (from_random(x + s * st.WignerSemicircle("z", 1), x, s), NO),
}


@pytest.mark.parametrize("name", LEVELS)
def test_level_score(name):
    declaration, holds = LEVELS[name]
    assert check_regularity(declaration).level_holds == holds


def test_no_level_score_without_a_normaliser():
    unknown = replace(from_random(x + s * e, x, s), normalised=False)
    assert check_regularity(unknown).level_holds is NO
    assert check_regularity(unknown).holds is YES
