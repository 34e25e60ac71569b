"""`noise_level` finds learned priors wherever NumPyro wraps them."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from numpyro import handlers

from symdsm.errors import ParameterError
from symdsm.inference.handlers import noise_level
from symdsm.inference.priors import LearnedPrior

WRAPPED = {
    "bare": (lambda prior: prior, ()),
    "expanded": (lambda prior: prior.expand([3]), (3,)),
    "independent": (lambda prior: prior.expand([3]).to_event(1), (3,)),
    "masked": (lambda prior: prior.expand([3]).mask(jnp.array([True, True, True])), (3,)),
    "all three": (lambda prior: prior.expand([3, 2]).to_event(1).mask(True), (3, 2)),
}


def log_prob(program, x):
    substituted = handlers.substitute(handlers.seed(program, jax.random.key(0)), {"z": x})
    return handlers.trace(substituted).get_trace()["z"]["fn"].log_prob(x).sum()


@pytest.mark.parametrize("wrap, batch", WRAPPED.values(), ids=WRAPPED.keys())
def test_sets_the_level_inside(gaussian, wrap, batch):
    def program():
        numpyro.sample("z", wrap(LearnedPrior(gaussian)))

    x = jnp.asarray(np.random.default_rng(0).normal(size=(*batch, 5)))
    with noise_level(2.0):
        np.testing.assert_allclose(log_prob(program, x), gaussian.log_prob(x, 2.0).sum(), rtol=1e-5)
    np.testing.assert_allclose(log_prob(program, x), gaussian.log_prob(x, 0.05).sum(), rtol=1e-5)


def test_under_a_plate_by_site_and_inner_first(gaussian):
    def program():
        with numpyro.plate("row", 3):
            numpyro.sample("z", LearnedPrior(gaussian))

    x = jnp.ones((3, 5))
    with noise_level(4.0), noise_level({"z": 1.0}):
        np.testing.assert_allclose(log_prob(program, x), 3 * gaussian.log_prob(x[0], 1.0), rtol=1e-5)
    other = noise_level({"elsewhere": 1.0}, program)
    np.testing.assert_allclose(log_prob(other, x), 3 * gaussian.log_prob(x[0], 0.05), rtol=1e-5)


def test_a_level_outside_the_range_is_told_the_range(gaussian):
    with pytest.raises(ParameterError, match="between 0.05 and 5"), noise_level(7.0):
        log_prob(lambda: numpyro.sample("z", LearnedPrior(gaussian)), jnp.ones(5))
