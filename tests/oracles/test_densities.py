"""The hand-written densities against SciPy's, and each law against its own density."""

import numpy as np
import pytest
from mpmath import mp, mpf

from tests.oracles.densities import FAMILIES
from tests.oracles.laws import Bisected
from tests.oracles.precise import exact

THETA = {
    "Arcsin": (-0.5, 2.0),
    "Benini": (1.3, 0.7, 2.0),
    "Beta": (2.5, 1.7),
    "BetaNoncentral": (2.5, 1.7, 3.0),
    "BetaPrime": (2.5, 3.3),
    "BoundedPareto": (1.4, 0.5, 6.0),
    "Cauchy": (0.3, 1.7),
    "Chi": (3.5,),
    "ChiNoncentral": (3.0, 1.6),
    "ChiSquared": (4.5,),
    "Dagum": (0.8, 2.5, 1.5),
    "Davis": (2.0, 3.5, 0.5),
    "Erlang": (4.0, 1.5),
    "ExGaussian": (0.4, 1.2, 0.8),
    "Exponential": (1.7,),
    "ExponentialPower": (0.2, 1.3, 2.6),
    "FDistribution": (5.0, 7.0),
    "FisherZ": (5.0, 7.0),
    "Frechet": (2.2, 1.5, 0.3),
    "Gamma": (2.6, 0.7),
    "GammaInverse": (2.6, 1.7),
    "Gompertz": (0.8, 0.6),
    "Gumbel": (1.4, 0.3),
    "Kumaraswamy": (2.4, 3.1),
    "Laplace": (0.3, 1.2),
    "Levy": (0.3, 1.2),
    "LogCauchy": (0.3, 0.8),
    "Logistic": (0.3, 1.2),
    "LogLogistic": (1.6, 2.7),
    "LogitNormal": (0.3, 0.8),
    "LogNormal": (0.3, 0.8),
    "Lomax": (2.3, 1.4),
    "Maxwell": (1.4,),
    "Moyal": (0.3, 1.2),
    "Nakagami": (1.8, 2.3),
    "Normal": (0.3, 1.2),
    "GaussianInverse": (1.4, 2.3),
    "Pareto": (1.4, 2.3),
    "PowerFunction": (2.3, 0.5, 2.0),
    "QuadraticU": (-0.5, 2.0),
    "RaisedCosine": (0.3, 1.2),
    "Rayleigh": (1.2,),
    "Reciprocal": (0.5, 6.0),
    "StudentT": (3.7,),
    "ShiftedGompertz": (1.2, 0.8),
    "Trapezoidal": (-2.0, -1.0, 1.5, 2.0),
    "Triangular": (-1.0, 2.0, 0.5),
    "Uniform": (-0.5, 2.0),
    "UniformSum": (4.0,),
    "VonMises": (2.5, 1.4),
    "Weibull": (1.4, 2.3),
    "WignerSemicircle": (1.4,),
}
LEVELS = np.array([0.07, 0.31, 0.62, 0.93])


def test_every_family_is_tried():
    assert set(THETA) == set(FAMILIES)
    assert len(FAMILIES) == 52


@pytest.mark.parametrize("name", FAMILIES)
def test_density_integrates_to_its_own_law(name):
    """Between two quantiles the density holds the difference of the levels: constant, shape and law agree."""
    family, theta = FAMILIES[name], THETA[name]
    law = family.law(*theta)
    y = np.sort(np.asarray(law.ppf(LEVELS), dtype=float))
    mass = law.cdf(y)
    args = [mpf(t) for t in theta]
    with mp.workdps(20):
        for low, high, expected in zip(y[:-1], y[1:], np.diff(mass), strict=True):
            middle = (exact(low) + exact(high)) / 2
            found = mp.quad(lambda t: mp.exp(family.log_density(t, *args)), [exact(low), middle, exact(high)])
            assert float(found) == pytest.approx(float(expected), rel=2e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_density_agrees_with_scipy(name):
    family, theta = FAMILIES[name], THETA[name]
    law = family.law(*theta)
    if not hasattr(law, "logpdf"):
        pytest.skip("SciPy has no such law; the integral above holds it")
    y = law.ppf(LEVELS)
    ours = [float(family.log_density(exact(v), *[mpf(t) for t in theta])) for v in y]
    np.testing.assert_allclose(ours, law.logpdf(y), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", FAMILIES)
def test_minus_infinity_outside(name):
    family, theta = FAMILIES[name], [mpf(t) for t in THETA[name]]
    low, high = family.support(*theta)
    for edge, step in ((low, -1), (high, 1)):
        if mp.isfinite(edge):
            assert family.log_density(edge + step / mpf(100), *theta) == -mp.inf


def test_bisected_law_inverts_itself():
    law = FAMILIES["Davis"].law(*THETA["Davis"])
    assert isinstance(law, Bisected)
    np.testing.assert_allclose(law.cdf(law.ppf(LEVELS)), LEVELS, atol=1e-9)
