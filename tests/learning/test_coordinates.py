"""Coordinates without walls: round trips, Jacobians against autodiff, densities against SciPy, bad supports."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
from scipy.stats import dirichlet, lognorm

import symdsm as sd
from symdsm.errors import DataError, ParameterError
from symdsm.learning.coordinates import Bounded, Simplex, Standardised, coordinates_for, described, rebuilt

RNG = np.random.default_rng(0)
POSITIVE = np.exp(RNG.normal(size=(50, 3)))
UNIT = RNG.beta(2, 3, size=(50, 3))
PARTS = RNG.dirichlet([2.0, 3.0, 1.5, 4.0], 50)
MIXED = np.stack([RNG.normal(size=50), 2 + POSITIVE[:, 0], 5 - POSITIVE[:, 1], UNIT[:, 0]], 1)
ENDS = (np.array([-np.inf, 2.0, -np.inf, 0.0]), np.array([np.inf, np.inf, 5.0, 1.0]))
CASES = {
    "real": (None, RNG.normal(size=(50, 3))),
    "positive": ("positive", POSITIVE),
    "interval": ((0.0, 1.0), UNIT),
    "sympy": (sp.Interval.open(0, 1), UNIT),
    "mixed": (ENDS, MIXED),
    "simplex": ("simplex", PARTS),
    "declared simplex": (sd.Simplex(), PARTS),
    "rows of simplices": ("simplex", np.stack([PARTS, PARTS[::-1]], 1)),
}


@pytest.mark.parametrize("standardise", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_round_trip_and_jacobian(name, standardise, x64):
    support, data = CASES[name]
    coordinates = coordinates_for(support, standardise, data)
    x = jnp.asarray(data[7])
    z = coordinates.forward(x)
    np.testing.assert_allclose(coordinates.inverse(z), x, rtol=1e-10, atol=1e-12)
    assert coordinates.outer(z.shape) == x.shape

    def free(w):  # the simplex has its last part from the others
        whole = jnp.concatenate([w, 1 - w.sum(-1, keepdims=True)], -1) if "simplex" in str(support).lower() else w
        return coordinates.forward(whole)

    w = x[..., :-1] if "simplex" in str(support).lower() else x
    jacobian = jax.jacobian(free)(w).reshape(w.size, w.size)
    assert float(coordinates.log_slope(x)) == pytest.approx(np.linalg.slogdet(jacobian)[1], rel=1e-10, abs=1e-10)
    assert np.isfinite(jax.grad(coordinates.log_slope)(x)).all()
    again = rebuilt(described(coordinates))
    if not standardise:
        np.testing.assert_array_equal(again.forward(x), z)
    else:
        z = jax.vmap(coordinates.forward)(jnp.asarray(data))
        np.testing.assert_allclose(z.mean(0), 0.0, atol=1e-12)
        np.testing.assert_allclose(z.std(0), 1.0, rtol=1e-12)
        assert isinstance(again, Standardised) and type(again.inner) is type(coordinates.inner)


def test_the_log_normal_and_the_logistic_normal_have_their_densities(x64):
    x = jnp.asarray(POSITIVE[3])
    normal = -0.5 * jnp.sum(Bounded(0.0, np.inf).forward(x) ** 2) - 1.5 * np.log(2 * np.pi)
    ours = normal + Bounded(0.0, np.inf).log_slope(x)
    assert float(ours) == pytest.approx(lognorm.logpdf(x, 1.0).sum(), rel=1e-12)
    # E of a ratio of densities under Dirichlet draws is one: the Jacobian's constant is right.
    alpha = np.array([3.0, 2.0, 4.0])
    draws = np.random.default_rng(1).dirichlet(alpha, 200_000)
    z = jax.vmap(Simplex().forward)(jnp.asarray(draws)) - Simplex().forward(jnp.asarray([0.3, 0.2, 0.5]))
    density = jnp.exp(-jnp.sum(z**2, 1) / 0.5) / (np.pi * 0.5)
    ratio = np.asarray(density) * np.exp(jax.vmap(Simplex().log_slope)(jnp.asarray(draws)))
    ratio /= dirichlet.pdf(np.clip(draws.T, 1e-300, 1), alpha)
    assert ratio.mean() == pytest.approx(1.0, abs=4 * ratio.std() / len(ratio) ** 0.5)
    assert ratio.std() < 3


@pytest.mark.parametrize(
    ("support", "data", "error", "words"),
    [
        ("positive", np.where(np.arange(150).reshape(50, 3) == 4, -1.0, POSITIVE), DataError, r"1 of 50 .*rows 1\)"),
        (
            "positive",
            np.where(np.arange(150).reshape(50, 3) < 12, 0.0, POSITIVE),
            DataError,
            "4 of 50 rows on the edge",
        ),
        ((0.0, 0.5), UNIT, DataError, "strictly between"),
        ("simplex", PARTS * 1.01, DataError, "sum to one"),
        ("simplex", np.ones((5, 1)), DataError, "two parts"),
        ((1.0, 0.0), UNIT, ParameterError, "low < high"),
        ((np.zeros(2), 1.0), UNIT, ParameterError, r"events of shape \(3,\)"),
        ("circle", UNIT, ParameterError, "kernel that lives there"),
        (sd.Sphere(), UNIT, ParameterError, "positive"),
        (3.0, UNIT, ParameterError, "support=3.0"),
    ],
)
def test_bad_supports(support, data, error, words):
    with pytest.raises(error, match=words):
        coordinates_for(support, False, data)
