"""The 52 rows of the table of laws: each integrates to one and is SymPy's own density, pushed through its map."""

import mpmath
import pytest
import sympy as sp
import sympy.stats as st
from sympy import Rational as R

from symdsm.symbolic.laws import LAWS, Draw, law_of
from symdsm.symbolic.probe import numeric

EXAMPLES = [
    *(st.Arcsin("e", -1, 3), st.Benini("e", R(13, 10), R(7, 10), 2), st.Beta("e", R(5, 2), R(4, 3))),
    *(st.BetaNoncentral("e", R(5, 2), R(4, 3), 2), st.BetaPrime("e", R(5, 2), R(10, 3))),
    *(st.BoundedPareto("e", R(3, 2), 1, 4), st.Cauchy("e", 1, 2), st.Chi("e", 4)),
    *(st.ChiNoncentral("e", 3, R(6, 5)), st.ChiSquared("e", 5), st.Dagum("e", R(3, 2), R(5, 2), 2)),
    *(st.Davis("e", 2, 4, 1), st.Erlang("e", 3, R(7, 5)), st.ExGaussian("e", 1, R(3, 2), R(4, 5))),
    *(st.Exponential("e", R(3, 2)), st.ExponentialPower("e", 1, 2, R(7, 5)), st.FDistribution("e", 5, 7)),
    *(st.FisherZ("e", 5, 7), st.Frechet("e", R(5, 2), 2, 1), st.Gamma("e", R(5, 2), R(3, 4))),
    *(st.GammaInverse("e", R(5, 2), R(3, 4)), st.GaussianInverse("e", R(3, 2), 2), st.Gompertz("e", 2, R(1, 2))),
    *(st.Gumbel("e", 2, 1), st.Gumbel("e", 2, 1, minimum=True), st.Kumaraswamy("e", R(5, 2), R(4, 3))),
    *(st.Laplace("e", 1, 2), st.Levy("e", 1, 2), st.LogCauchy("e", R(1, 2), R(3, 4)), st.Logistic("e", 1, 2)),
    *(st.LogLogistic("e", 2, R(5, 2)), st.LogitNormal("e", R(1, 2), R(3, 4)), st.LogNormal("e", R(1, 2), R(3, 4))),
    *(st.Lomax("e", R(5, 2), 2), st.Maxwell("e", 2), st.Moyal("e", 1, 2), st.Nakagami("e", R(5, 2), 2)),
    *(st.Normal("e", 1, 2), st.Pareto("e", 2, R(5, 2)), st.PowerFunction("e", R(5, 2), 1, 3)),
    *(st.QuadraticU("e", 1, 3), st.RaisedCosine("e", 1, 2), st.Rayleigh("e", 2), st.Reciprocal("e", 2, 5)),
    *(st.StudentT("e", R(7, 2)), st.ShiftedGompertz("e", 2, R(3, 2)), st.Trapezoidal("e", 1, 2, 3, 5)),
    *(st.Triangular("e", 1, 4, 2), st.UniformSum("e", 4), st.Uniform("e", 1, 3), st.VonMises("e", 1, 2)),
    *(st.Weibull("e", 2, R(5, 2)), st.WignerSemicircle("e", 2)),
]
# Beta-noncentral's density is an infinite sum in SymPy, Frechet's lacks a factor, QuadraticU's is 1/4 of a unit.
NAMES = [type(e.pspace.distribution).__name__.removesuffix("Distribution") for e in EXAMPLES]
QUANTILES = (0.07, 0.31, 0.52, 0.77, 0.94)


HEAVY = {"Cauchy", "LogCauchy", "StudentT"}


def place(q, low, high, heavy=False):
    """The q-quantile of some law on (low, high), of one with heavy tails where asked."""
    q = mpmath.mpf(q)
    if mpmath.isinf(low):
        return mpmath.tan(mpmath.pi * (q - 0.5)) if heavy else 2 * mpmath.log(q / (1 - q))
    return low + q / (1 - q) if mpmath.isinf(high) else low + (high - low) * q


def ends(law):
    return tuple(mpmath.mpmathify(numeric(e, [])()) for e in (law.support.inf, law.support.sup))


def one_turn(law, low, high):
    return (-mpmath.pi, +mpmath.pi) if law.period is not None else (low, high)


@pytest.mark.parametrize("random", EXAMPLES, ids=NAMES)
def test_integrates_to_one(random):
    law = law_of(random.pspace.distribution)
    low, high = one_turn(law, *ends(law))
    f = numeric(sp.exp(law.log_density), [law.variable])
    heavy = type(random.pspace.distribution).__name__.removesuffix("Distribution") in HEAVY

    def integrand(q):
        if not 0 < q < 1:
            return mpmath.mpf(0)
        slope = mpmath.diff(lambda v: place(v, low, high, heavy), q, h=q * (1 - q) * mpmath.mpf(10) ** -12)
        return mpmath.re(f(place(q, low, high, heavy))) * slope

    with mpmath.workdps(25):
        total = mpmath.quad(integrand, [0, 0.25, mpmath.mpf(1) / 3, 0.5, 0.75, 1])
    assert abs(total - 1) < 1e-7


@pytest.mark.parametrize("random", EXAMPLES, ids=NAMES)
def test_agrees_with_the_density_of_sympy(random):
    distribution = random.pspace.distribution
    law = law_of(distribution)
    low, high = one_turn(law, *ends(law))
    y = sp.Dummy("y", real=True)
    own = law.log_density - sp.log(sp.Abs(sp.diff(law.map, law.variable)))
    for q in QUANTILES:
        at = sp.Float(place(q, low, high), 40)
        with mpmath.workdps(30):
            value = numeric(law.map, [law.variable])(mpmath.mpf(at))
            found = numeric(own, [law.variable])(mpmath.mpf(at))
            expected = sp.N(distribution.pdf(y).subs(y, sp.Float(value, 30)), 25)
        assert abs(sp.exp(sp.Float(mpmath.re(found), 25)) / expected - 1) < 1e-12


def test_every_row_is_tried():
    assert set(NAMES) == set(LAWS) and len(LAWS) == 51  # Erlang is a Gamma


def test_rows_hold_one_variable_and_known_draws():
    for random in EXAMPLES:
        law = law_of(random.pspace.distribution)
        assert law.log_density.free_symbols <= {law.variable} and law.variable in law.map.free_symbols
        assert law.draw is None or not law.draw.free_symbols - {d.args[0] for d in law.draw.atoms(Draw)}


def test_laws_outside_the_table_are_left_to_their_density():
    x = sp.Symbol("x", real=True)
    assert law_of(st.ContinuousRV(x, sp.exp(-(x**2)) / sp.sqrt(sp.pi)).pspace.distribution) is None
    assert law_of(st.UniformSum("e", sp.Symbol("n", integer=True, positive=True)).pspace.distribution) is None
