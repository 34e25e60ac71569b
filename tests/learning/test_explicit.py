"""Proposition 1 for many kernels: explicit and denoising score matching have one gradient in expectation.

The clean law is three points, so that q(y) = sum_j w_j p(y | x_j) and its score are exact. The two gradients are taken
at the same draws (x, y), and the mean of their difference is zero within its standard error, as a chi-square statistic
over the network's parameters.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
import sympy.stats as st

import symdsm as sd
from symdsm.learning.networks import AbstractScore
from symdsm.learning.noise import Noise
from symdsm.learning.objectives import dsm, esm
from symdsm.learning.potentials import ScorePotential
from tests.learning.linear import bare_scaling, p_value

X, POSITIVE = sp.Symbol("x", real=True), sp.Symbol("x", positive=True)
LINE, HALF, ANGLES = [-1.0, 0.4, 1.5], [0.5, 1.0, 2.2], [-2.0, 0.3, 1.1]
PLANE = [[-1.0, 0.0], [1.0, 0.5], [0.2, -1.2]]
MATRIX = [[2.0, 0.5], [0.5, 1.0]]


def contaminated():
    share = sp.Rational(4, 5)
    return sd.Kernel.mixture({sd.families.gaussian(): share, sd.families.laplace(): 1 - share})


KERNELS = {
    "gaussian": (sd.families.gaussian, LINE, {"sigma": 0.5}),
    "laplace": (sd.families.laplace, LINE, {"sigma": 0.5}),
    "student t": (sd.families.student_t, LINE, {"sigma": 0.5, "nu": 3.0}),
    "logistic": (sd.families.logistic, LINE, {"sigma": 0.5}),
    "skew normal": (sd.families.skew_normal, LINE, {"sigma": 0.7, "alpha": 2.0}),
    "poisson-gaussian": (sd.families.poisson_gaussian, HALF, {"a": 0.3, "b": 0.16}),
    "speckle": (sd.families.speckle, HALF, {"L": 4.0}),
    "log-normal": (sd.families.log_normal, HALF, {"sigma": 0.5}),
    "von mises": (sd.families.von_mises, ANGLES, {"kappa": 3.0}),
    "vp": (sd.families.vp, LINE, {"t": 0.3, "beta_min": 0.1, "beta_max": 10.0}),
    "mixture": (contaminated, LINE, {"sigma": 0.5}),
    "multivariate t": (sd.families.multivariate_t, PLANE, {"sigma": 0.6, "nu": 4.0, "P": MATRIX}),
    "precision": (sd.families.multivariate_normal_precision, PLANE, {"sigma": 0.6, "P": MATRIX}),
    "additive gamma": (lambda: sd.Kernel.from_random(X + st.Gamma("e", 4, 1), clean=X), LINE, {}),
}
FAST = {"gaussian", "laplace", "speckle"}
DRAWS, WEIGHTS = 4096, np.array([0.2, 0.5, 0.3])


class ExactT:
    """The program of a multivariate t that draws y = x + sigma R z / sqrt(c / nu), R R' = P^-1, not by chains."""

    def __init__(self, program):
        self.log_prob, self.score, self.dual_target = program.log_prob, program.score, program.dual_target

    def sample(self, key, x, /, *, sigma, nu, P):
        normal, square = jax.random.split(key)
        z = jnp.linalg.cholesky(jnp.linalg.inv(P)) @ jax.random.normal(normal, x.shape, x.dtype)
        return x + sigma * z * jnp.sqrt(nu / jax.random.chisquare(square, nu, dtype=x.dtype))

    def target(self, key, x, /, **params):
        y = self.sample(key, x, **params)
        return y, self.score(y, x, **params)


class Waves(AbstractScore):
    """Three tanh waves, every parameter free; of the angle's sine and cosine where y is one."""

    event_shape: tuple[int, ...] = eqx.field(static=True)
    inner: jax.Array
    shift: jax.Array
    outer: jax.Array
    angles: bool = eqx.field(static=True)

    def __call__(self, x, level):
        seen = jnp.concatenate([jnp.sin(x), jnp.cos(x)]) if self.angles else x
        waves = jnp.tanh(self.inner @ jnp.ravel(seen) + self.shift)
        return (self.outer @ waves).reshape(self.event_shape)


def difference(kernel, points, params, weights=WEIGHTS):
    """Gradients of esm less those of dsm, one row for each draw; `weights` make the marginal that esm is told."""
    program = ExactT(kernel.compile()) if "nu" in params and kernel.event_ndim else kernel.compile()
    values = {k: jnp.asarray(v, float) for k, v in params.items()}
    noise = Noise(values, None, None, kernel.event_ndim > 0, program, kernel.period and float(kernel.period))
    points = jnp.asarray(points, float).reshape(3, -1)
    size = points.shape[1]

    def log_q(y):
        each = jax.vmap(lambda x: noise.log_prob(y, x, jnp.zeros(())))(points)
        return jax.nn.logsumexp(each + jnp.log(weights))

    rng = np.random.default_rng(0)
    shapes = ((3, size if kernel.period is None else 2 * size), (3,), (size, 3))
    net = Waves((size,), *(jnp.asarray(rng.normal(size=shape)) for shape in shapes), kernel.period is not None)
    potential = ScorePotential(net, noise, bare_scaling((size,), centre=1.0))
    objectives = esm(lambda y, level: jax.grad(log_q)(y)), dsm

    @jax.jit
    def gradients(net, keys, x):
        def losses(net, key, x):
            moved = eqx.tree_at(lambda p: p.net, potential, net)
            one, other = (o(moved, key, x, jnp.zeros(())) for o in objectives)
            return one - other

        return jax.vmap(jax.grad(losses), (None, 0, 0))(net, keys, x)

    x = points[rng.choice(3, DRAWS, p=WEIGHTS)]
    slopes = gradients(net, jax.random.split(jax.random.key(0), DRAWS), x)
    return np.concatenate([np.reshape(leaf, (DRAWS, -1)) for leaf in jax.tree.leaves(slopes)], axis=1)


def mean_is_zero(rows):
    """Along the directions that hold all but a millionth of the variance: elsewhere a few far draws make the mean."""
    variances, directions = np.linalg.eigh(np.cov(rows.T))
    kept = variances > 1e-6 * variances[-1]
    return p_value(rows.mean(0) @ directions[:, kept], np.diag(variances[kept]) / len(rows))


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in KERNELS])
def test_the_gradients_are_equal_in_expectation(name, x64):
    declare, points, params = KERNELS[name]
    rows = difference(declare(), points, params)
    assert np.isfinite(rows).all() and rows.std() > 0.01
    assert mean_is_zero(rows) > 1e-3


def test_the_score_of_another_marginal_is_seen(x64):
    declare, points, params = KERNELS["gaussian"]
    assert mean_is_zero(difference(declare(), points, params, weights=np.array([0.3, 0.4, 0.3]))) < 1e-6
