"""Checks of a fit against fits that are right, wrong and memorising by construction."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from symdsm.diagnostics.fitness import curl, fit_checks, neighbour_ratios, score_slope
from tests.inference.conftest import MixtureFit, mixture


class Wrong(MixtureFit):
    """The score times `factor`, plus an independent wave, plus a rotation in the first two coordinates."""

    factor: float = eqx.field(static=True, default=1.0)
    wave: float = eqx.field(static=True, default=0.0)
    turn: float = eqx.field(static=True, default=0.0)

    def score(self, x, level):
        right = MixtureFit.score(self, x, level)
        turned = jnp.zeros_like(x).at[..., 0].set(-x[..., 1]).at[..., 1].set(x[..., 0])
        return self.factor * right + self.wave * jnp.sin(40 * x) + self.turn * turned


def wrong(fit, **how):
    parts = {name: getattr(fit, name) for name in ("centres", "log_weights", "sd", "examples", "levels", "event_shape")}
    return Wrong(**parts, **how)


@pytest.fixture(scope="module")
def fit():
    return mixture([[0.0] * 6], [1.0], sd=1.0, least=0.5, most=5.0)


def values(fit, draws, held_out=None):
    return {check.name: check for check in fit_checks("z", fit, draws, held_out)}


def fresh(n, seed=9):
    return np.random.default_rng(seed).normal(size=(n, 6))


def test_slope_is_one_for_the_true_score(fit):
    slope, error = score_slope(fit, fit.examples, 0.0)
    assert abs(slope - 1) < 4 * error and error < 0.05


def test_slope_is_the_inverse_of_the_scores_factor(fit):
    slope, error = score_slope(wrong(fit, factor=0.5), fit.examples, 0.0)
    assert abs(slope - 2) < 8 * error


def test_slope_is_the_share_of_the_score_that_is_right(fit):
    """|s|^2 / (|s|^2 + |e|^2) per coordinate: 0.8 of the true score at variance 1.25, 0.5 wave^2 of the error."""
    slope, error = score_slope(wrong(fit, wave=1.0), fit.examples, 0.0)
    assert abs(slope - 0.8 / (0.8 + 0.5)) < 4 * error


@pytest.mark.parametrize("how, ok", [({}, 0), ({"factor": 0.4}, 2), ({"wave": 3.0}, 2)])
def test_the_check_of_the_score(fit, how, ok):
    assert values(wrong(fit, **how), fresh(200))["score of z"].severity == ok


def test_held_out_data_tell_a_memorising_fit():
    few = fresh(30)
    fit = eqx.tree_at(lambda f: f.examples, mixture(few, np.full(30, 1 / 30), sd=0.01, least=0.1), jnp.asarray(few))
    copies = few[np.random.default_rng(0).integers(30, size=200)] + 0.1 * fresh(200)
    found = values(fit, copies, held_out=fresh(200, seed=5))
    assert found["score of z"].severity == 0 and found["score of z, held out"].severity == 2
    assert found["copies in z"].severity == 2
    assert values(fit, fresh(200, seed=6))["copies in z"].severity == 0


def test_neighbour_ratios():
    centres = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 8.0]])
    np.testing.assert_allclose(neighbour_ratios(np.array([[1.0, 0.0]]), centres), [0.5])
    np.testing.assert_allclose(neighbour_ratios(centres, centres, own=True)[0], 3 / 8)


def test_curl_of_a_rotation(fit):
    """Jacobian -0.8 I + turn R in 6 dimensions: |2 turn R| / sqrt(|2 turn R|^2 + |1.6 I|^2), Frobenius."""
    turn = 0.7
    odd, even = 2 * (2 * turn) ** 2, 6 * 1.6**2
    np.testing.assert_allclose(curl(wrong(fit, turn=turn)), np.sqrt(odd / (odd + even)), atol=0.12)
    assert curl(fit) < 1e-3
    assert "curl of z" not in values(fit, fresh(50))
