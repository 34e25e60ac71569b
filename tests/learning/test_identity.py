"""J_ESM = J_DSM + C on numbers: seen to hold where it does, and to fail where it does not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
import sympy.stats as st

import symdsm as sd
from symdsm.errors import DataError, DerivationError
from symdsm.learning import identity
from tests.learning.doubles import GaussianKernel

MIXTURE = {"weights": [0.3, 0.7], "means": [-2.0, 1.0], "scales": [0.5, 0.8]}
PLANE = {"weights": [0.4, 0.6], "means": [[-1.0, 0.0], [1.0, 1.0]], "scales": [0.5, 0.8]}
POSITIVE = np.exp(0.4 * np.random.default_rng(0).normal(size=2048))
ANGLES = np.random.default_rng(1).vonmises(0.5, 2.0, size=2048)
x = sp.Symbol("x", real=True)
PRECISION = [[2.0, 0.5], [0.5, 1.0]]

VALID = {
    "gaussian": (GaussianKernel, MIXTURE, {"sigma": 0.5}),
    "laplace": (sd.families.laplace, MIXTURE, {"sigma": 0.5}),
    "speckle": (sd.families.speckle, POSITIVE, {"L": 4.0}),
    "von mises": (sd.families.von_mises, ANGLES, {"kappa": 3.0}),
    "additive gamma": (lambda: sd.Kernel.from_random(x + st.Gamma("e", 3, 1), clean=x), MIXTURE, {}),
    "normal": (sd.families.multivariate_normal_precision, PLANE, {"P": PRECISION, "sigma": 0.6}),
}
FAILING = {
    "exponential": st.Exponential("e", 1),
    "uniform": st.Uniform("e", -1, 1),
}


@pytest.mark.parametrize(
    "name", [name if name == "gaussian" else pytest.param(name, marks=pytest.mark.slow) for name in VALID]
)
def test_the_gap_is_c(name):
    kernel, data, params = VALID[name]
    found = sd.check_identity(kernel(), data, key=jax.random.key(0), params=params)
    assert found.holds and found.p_value > 0.01
    assert found.esm.shape == (5,)
    np.testing.assert_allclose(found.gap - found.constant, found.excess, rtol=1e-6, atol=1e-9)
    assert np.abs(found.excess / found.error).max() < 4
    assert found.constant < 0
    assert found.distance < 3 * found.noise
    assert (found.variance_dsm > found.variance_esm).all()


@pytest.mark.parametrize("name", ["exponential", pytest.param("uniform", marks=pytest.mark.slow)])
def test_an_edge_that_moves_is_seen(name):
    kernel = sd.Kernel.from_random(x + FAILING[name], clean=x)
    found = sd.check_identity(kernel, MIXTURE, key=jax.random.key(0))
    assert not found.holds and found.p_value == 0.0
    assert np.abs(found.excess / found.error).max() > 40
    assert found.distance > 20 * found.noise
    assert "The gap is not C" in str(found)


def test_the_constant_and_the_slopes_of_a_gaussian():
    """N(0, 1) data and noise of sd 1/2: q = N(0, 5/4), so 2 C = 4/5 - 4, and d log q = -4 y/5."""
    data = {"weights": [1.0], "means": [0.0], "scales": [1.0]}
    found = sd.check_identity(
        GaussianKernel(), data, key=jax.random.key(2), params={"sigma": 0.5}, networks=[lambda y: -0.8 * y, jnp.tanh]
    )
    assert found.constant == pytest.approx(-1.6, abs=4 * np.sqrt(8 / found.draws))
    assert found.esm[0] == pytest.approx(0.0, abs=2e-3)  # the true score
    assert found.dsm[0] == pytest.approx(1.6, abs=0.1)
    assert found.esm.shape == (2,)


def test_the_points_of_a_mixture_have_its_moments():
    points = identity._mixture_points(MIXTURE, 0, jax.random.key(0))
    mean = 0.3 * -2.0 + 0.7 * 1.0
    assert points.mean() == pytest.approx(mean, abs=2e-3)
    variance = 0.3 * (0.25 + 4.0) + 0.7 * (0.64 + 1.0) - mean**2
    assert points.var() == pytest.approx(variance, rel=5e-3)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ({"means": [0.0]}, DataError, "weights, means and scales"),
        ({"weights": [1.0], "means": [0.0, 1.0], "scales": [1.0]}, DataError, "equal length"),
        ({"weights": [-1.0], "means": [0.0], "scales": [1.0]}, DataError, "not negative"),
        (np.zeros(10), DataError, "at least 200"),
        (np.arange(300), DataError, "floating-point"),
        (np.full(300, np.nan), DataError, "finite"),
        (np.zeros((300, 2)), DataError, "data.ravel"),
    ],
)
def test_bad_data(data, error, words):
    with pytest.raises(error, match=words):
        sd.check_identity(GaussianKernel(), data, key=jax.random.key(0), params={"sigma": 1.0})


def test_a_product_is_checked_block_by_block():
    kernel = sd.Kernel.product({"a": sd.families.gaussian(), "b": sd.families.gaussian()})
    with pytest.raises(DerivationError, match="each of kernel.blocks"):
        sd.check_identity(kernel, MIXTURE, key=jax.random.key(0), params={"sigma": 1.0})


@pytest.mark.slow
def test_clean_values_outside_the_kernel_are_named():
    with pytest.raises(DataError, match="positive ones for speckle"):
        sd.check_identity(sd.families.speckle(), MIXTURE, key=jax.random.key(0), params={"L": 4.0})
