import jax
import numpy as np
import pytest

from symdsm.errors import ParameterError
from symdsm.learning.levels import geometric, uniform


@pytest.mark.parametrize(
    "levels", [geometric(0.01, 5.0), geometric(1000.0, 2.0), uniform(0.0, 1.0), uniform(3.0, -1.0)]
)
def test_coordinate_inverts_at(levels):
    u = np.linspace(0, 1, 11)
    np.testing.assert_allclose(levels.coordinate(levels.at(u)), u, atol=1e-5)
    np.testing.assert_allclose(np.asarray(levels.grid(3))[[0, 2]], [levels.least, levels.most], rtol=1e-5, atol=1e-6)


def test_geometric_is_even_in_the_logarithm():
    np.testing.assert_allclose(geometric(0.1, 10.0).grid(3), [0.1, 1.0, 10.0], rtol=1e-5)
    draws = np.log10(geometric(0.1, 10.0).sample(jax.random.key(0), (20_000,)))
    assert abs(draws.mean()) < 4 * (2 / np.sqrt(12)) / np.sqrt(20_000)
    assert abs(draws.var() - 4 / 12) < 0.01


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: geometric(1.0, 1.0), "differ"),
        (lambda: geometric(0.0, 1.0), "positive"),
        (lambda: geometric(-1.0, 1.0), "positive"),
        (lambda: uniform(0.0, float("inf")), "finite"),
    ],
)
def test_bad_ranges(make, words):
    with pytest.raises(ParameterError, match=words):
        make()
