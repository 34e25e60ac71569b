"""The level score of noise that is not normal, against quadrature of SciPy's densities.

The clean law has a density, so d/dlevel log q(y; level) = d/dlevel log integral p(x) p(y | x; level) dx is an integral
that nobody derived with symdsm. A linear energy with -log q among its features has to find it by the dual objective.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

import symdsm as sd
from symdsm.learning.noise import Noise
from symdsm.learning.objectives import dual
from tests.learning.linear import p_value, solved, with_features

NODES, WEIGHTS = (jnp.asarray(a) for a in np.polynomial.hermite_e.hermegauss(40))
DRAWS, U = 4096, 0.5


def speckle(y, x, looks):
    log_rate = jnp.log(looks / x)
    return looks * log_rate + (looks - 1) * jnp.log(y) - looks * y / x - jax.scipy.special.gammaln(looks)


def student_t(y, x, sigma):
    z, nu = (y - x) / sigma, 3.0
    constant = jax.scipy.special.gammaln((nu + 1) / 2) - jax.scipy.special.gammaln(nu / 2) - jnp.log(nu * jnp.pi) / 2
    return constant - jnp.log(sigma) - (nu + 1) / 2 * jnp.log1p(z**2 / nu)


def von_mises(y, x, kappa):
    return kappa * (jnp.cos(y - x) - 1) - jnp.log(2 * jnp.pi * jax.scipy.special.i0e(kappa))


def positive(z):
    return jnp.exp(0.4 * z)


def angle(z):
    return 0.3 + 0.5 * z


CASES = {
    "speckle": (sd.families.speckle, speckle, positive, sd.geometric(16.0, 4.0), {}),
    "student t": (sd.families.student_t, student_t, angle, sd.geometric(0.3, 2.0), {"nu": 3.0}),
    "von mises": (sd.families.von_mises, von_mises, angle, sd.geometric(8.0, 2.0), {}),
}
SCIPY = {
    "speckle": lambda y, x, looks: stats.gamma.logpdf(y, looks, scale=x / looks),
    "student t": lambda y, x, sigma: stats.t.logpdf(y, 3.0, x, sigma),
    "von mises": lambda y, x, kappa: kappa * (np.cos(y - x) - 1) - np.log(2 * np.pi * special.i0e(kappa)),
}


def log_q(density, clean, y, level):
    each = density(y, clean(NODES), level)
    return jax.nn.logsumexp(each, b=WEIGHTS / jnp.sum(WEIGHTS))


@pytest.mark.parametrize(
    "name", ["student t", *(pytest.param(n, marks=pytest.mark.slow) for n in ("speckle", "von mises"))]
)
def test_the_dual_objective_finds_the_level_score(name, x64):
    declare, density, clean, levels, params = CASES[name]
    kernel = declare()
    assert float(density(0.7, 1.1, 3.0)) == pytest.approx(float(SCIPY[name](0.7, 1.1, 3.0)), rel=1e-10)
    noise = Noise(params, levels, kernel.level.name, False, kernel.compile())

    def tail(y, u):
        """What `bare_scaling` adds where it has a centre."""
        at = [density(1.0, 1.0, levels.at(u)), density(y[0], 1.0, levels.at(u))]
        return at[0] - at[1] if name == "speckle" else 0.0

    def features(y, u):
        others = [jnp.cos(u) * jnp.cos(y[0]), jnp.sin(2 * y[0] + u), u * jnp.cos(2 * y[0] - 1.0)]
        return jnp.stack([-log_q(density, clean, y[0], levels.at(u)) - tail(y, u), *others])

    z = np.random.default_rng(0).normal(size=(DRAWS, 1))
    potential = with_features("energy", features, 4, noise, (1,), centre=1.0 if name == "speckle" else None)
    theta, covariance = solved(dual, potential, clean(jnp.asarray(z)), jax.random.key(0), jnp.asarray(U))
    assert p_value(theta - np.eye(4)[0], covariance) > 1e-3
    assert np.sqrt(np.diag(covariance)).max() < 0.1
