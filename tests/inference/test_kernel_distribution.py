"""`kernel.distribution` of every ready family, under the tests that NumPyro has for its own distributions.

Shapes, draws inside the support, gradients against differences, jit, vmap over the parameters, what `expand`,
`to_event` and `mask` make of it; and the log density of NumPyro's own law where it ships the family, to 1e-6.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.distributions.batch_util import vmap_over
from numpyro.distributions.transforms import SigmoidTransform
from numpyro.infer.reparam import CircularReparam
from numpyro.infer.util import log_density

import symdsm as sd
from symdsm.errors import DerivationError
from symdsm.inference.supports import admits

pytestmark = pytest.mark.usefixtures("x64")

_rng = np.random.default_rng(3)
N = 4
ROOT = np.tril(_rng.normal(size=(N, N)), -1) + np.diag(_rng.uniform(0.5, 1.5, N))
COVARIANCE = ROOT @ ROOT.T
PRECISION = np.linalg.inv(COVARIANCE)
TALL, DIAGONAL = _rng.normal(size=(N, 2)), _rng.uniform(0.5, 1.5, N)
WIDE, BLUR = _rng.normal(size=(N, 3)), np.array([0.2, 0.5, 0.3])
WALK = np.tril(np.ones((N, N)))

LINE, RATE, SHARE = (np.array(v) for v in ([-0.7, 0.4, 2.0], [0.5, 1.0, 4.0], [0.2, 0.5, 0.7]))
VECTORS = _rng.normal(size=(3, N))
SIMPLEX = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
SPHERE = np.array([[0.0, 0.6, 0.8], [1.0, 0.0, 0.0]])


def power(a, x):
    return -jnp.log(2) / jnp.log1p(-(x**a))


def normal(covariance):
    return lambda x, sigma: dist.MultivariateNormal(x, sigma[..., None, None] ** 2 * covariance)


def vp(x, t, beta_min, beta_max):
    b = beta_min * t + (beta_max - beta_min) * t**2 / 2
    return x * jnp.exp(-b / 2), -jnp.expm1(-b)


def damped(x, t, beta, gamma, M):
    """Two dimensions of one linear SDE, its moments by the matrix exponential."""
    friction = 2 * jnp.sqrt(M)
    drift = beta * jnp.array([[0.0, 1 / M], [-1.0, -friction / M]])
    flow = jax.scipy.linalg.expm(drift * t)
    rest = jnp.diag(jnp.array([1.0, M]))  # the stationary covariance
    start = jnp.diag(jnp.array([0.0, gamma * M]))
    return flow[:, 0] * x[..., None], rest + flow @ (start - rest) @ flow.T


# name: clean values, parameters other than the level, level, NumPyro's own law or None
ROWS = {
    "gaussian": (LINE, {}, 0.7, lambda x, sigma: dist.Normal(x, sigma)),
    "poisson_gaussian": (RATE, {"b": 0.1}, 0.4, lambda x, a, b: dist.Normal(x, jnp.sqrt(a * x + b))),
    "laplace": (LINE, {}, 0.7, lambda x, sigma: dist.Laplace(x, sigma)),
    "student_t": (LINE, {"nu": 3.5}, 0.7, lambda x, sigma, nu: dist.StudentT(nu, x, sigma)),
    "logistic": (LINE, {}, 0.7, lambda x, sigma: dist.Logistic(x, sigma)),
    "generalised_normal": (LINE, {"beta": 1.6}, 0.7, None),
    "cauchy": (LINE, {}, 0.7, lambda x, sigma: dist.Cauchy(x, sigma)),
    "skew_normal": (LINE, {"alpha": -2.5}, 0.7, None),
    "gumbel": (LINE, {}, 0.7, lambda x, sigma: dist.Gumbel(x, sigma)),
    "log_normal": (RATE, {}, 0.7, lambda x, sigma: dist.LogNormal(jnp.log(x), sigma)),
    "gamma": (RATE, {}, 0.3, lambda x, theta: dist.Gamma(x / theta, 1 / theta)),
    "speckle": (RATE, {}, 4.0, lambda x, L: dist.Gamma(L, L / x)),
    "speckle_amplitude": (RATE, {}, 4.0, None),
    "inverse_gamma": (RATE, {}, 4.0, lambda x, a: dist.InverseGamma(a, a * x)),
    "weibull": (RATE, {}, 2.5, lambda x, k: dist.Weibull(x, k)),
    "inverse_gaussian": (RATE, {}, 3.0, None),
    "beta": (SHARE, {}, 9.0, lambda x, nu: dist.Beta(nu * x, nu * (1 - x))),
    "logit_normal": (
        SHARE,
        {},
        0.7,
        lambda x, sigma: dist.TransformedDistribution(
            dist.Normal(jnp.log(x) - jnp.log1p(-x), sigma), SigmoidTransform()
        ),
    ),
    "kumaraswamy": (SHARE, {}, 2.5, lambda x, a: dist.Kumaraswamy(a, power(a, x))),
    "von_mises": (LINE, {}, 2.0, lambda x, kappa: dist.VonMises(x, kappa)),
    "wrapped_normal": (LINE, {}, 0.9, None),
    "wrapped_cauchy": (LINE, {}, 0.5, None),
    "ve": (LINE, {"sigma_min": 0.1, "sigma_max": 5.0}, 0.6,
           lambda x, t, sigma_min, sigma_max: dist.Normal(
               x, sigma_min * jnp.sqrt((sigma_max / sigma_min) ** (2 * t) - 1))),
    "vp": (LINE, {"beta_min": 0.1, "beta_max": 20.0}, 0.6,
           lambda x, **p: dist.Normal(vp(x, **p)[0], jnp.sqrt(vp(x, **p)[1]))),
    "sub_vp": (LINE, {"beta_min": 0.1, "beta_max": 20.0}, 0.6, lambda x, **p: dist.Normal(*vp(x, **p))),
    "ou": (LINE, {"theta": 0.8, "mu": 0.3, "sigma": 0.7}, 0.6,
           lambda x, t, theta, mu, sigma: dist.Normal(
               mu + (x - mu) * jnp.exp(-theta * t), sigma * jnp.sqrt(-jnp.expm1(-2 * theta * t) / (2 * theta)))),
    "critically_damped": (LINE, {"beta": 1.5, "gamma": 0.3, "M": 0.5}, 0.6,
                          lambda x, **p: dist.MultivariateNormal(*damped(x, **p))),
    "multivariate_normal_precision": (VECTORS, {"P": PRECISION}, 0.8, lambda x, sigma, P: normal(COVARIANCE)(x, sigma)),
    "multivariate_normal_covariance": (VECTORS, {"C": COVARIANCE}, 0.8, lambda x, sigma, C: normal(C)(x, sigma)),
    "multivariate_normal_cholesky": (VECTORS, {"L": ROOT}, 0.8, lambda x, sigma, L: normal(L @ L.T)(x, sigma)),
    "multivariate_normal_low_rank": (VECTORS, {"W": TALL, "d": DIAGONAL}, 0.8,
                                     lambda x, sigma, W, d: dist.LowRankMultivariateNormal(
                                         x, sigma * W, sigma**2 * d)),
    "multivariate_t": (VECTORS, {"P": PRECISION, "nu": 3.5}, 0.8,
                       lambda x, sigma, P, nu: dist.MultivariateStudentT(nu, x, sigma * ROOT)),
    "multivariate_laplace": (VECTORS, {"P": PRECISION}, 0.8, None),
    "linear_operator": (VECTORS[:, :3], {"A": WIDE}, 0.8,
                        lambda x, sigma, A: dist.Normal(x @ A.T, sigma).to_event(1)),
    "blurred": (VECTORS, {"K": BLUR}, 0.8,
                lambda x, sigma, K: dist.Normal(jax.vmap(lambda v: jnp.correlate(v, K, "valid"))(x), sigma).to_event(1)
                if x.ndim > 1 else dist.Normal(jnp.correlate(x, K, "valid"), sigma).to_event(1)),
    "random_walk": (VECTORS, {}, 0.8, normal(WALK @ WALK.T)),
    "lattice": (VECTORS.reshape(3, 2, 2), {"beta": 0.7}, 0.8, None),
    "dirichlet": (SIMPLEX, {}, 30.0, lambda x, kappa: dist.Dirichlet(kappa * x)),
    "logistic_normal": (SIMPLEX, {}, 0.4, None),
    "von_mises_fisher": (SPHERE, {}, 5.0, None),
}  # fmt: skip
FAST = ("gaussian", "speckle", "von_mises", "multivariate_normal_precision", "dirichlet")
NAMES = [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in ROWS]
KEY = jax.random.key(0)


@cache
def family(name):
    return getattr(sd.families, name)()


def ours(name, level=None, x=None):
    at, params, usual, _ = ROWS[name]
    params = {**params, family(name).level.name: usual if level is None else level}
    return family(name).distribution(at if x is None else x, **params)


def test_the_table_is_complete():
    """Every family but the one whose normaliser is not known."""
    assert set(ROWS) == set(sd.families.__all__) - {"smoothed_total_variation"}
    with pytest.raises(DerivationError, match="normalis"):
        family("smoothed_total_variation").distribution(jnp.ones((3, 4)), sigma=0.8, eps=0.8, lam=0.5)


@pytest.mark.parametrize("name", NAMES)
def test_like_a_distribution_of_numpyro(name):
    d, (x, _, usual, twin) = ours(name), ROWS[name]
    batch = x.shape[: x.ndim - len(d.event_shape)] if name != "critically_damped" else x.shape
    assert d.batch_shape == batch and len(d.event_shape) == d.support.event_dim
    y = d.sample(KEY, (2,))
    assert y.shape == d.shape((2,)) == (2, *d.batch_shape, *d.event_shape)
    assert bool(jnp.all(d.support(y)))
    for shape in ((), (4, 2)):
        assert jax.eval_shape(lambda d, s=shape: d.sample(KEY, s), d).shape == d.shape(shape)

    value = d.log_prob(y)
    assert value.shape == (2, *batch) and bool(jnp.all(jnp.isfinite(value)))
    np.testing.assert_allclose(d.log_prob(y[1]), value[1], rtol=1e-10)
    if twin is not None:
        theirs = twin(x, **{k: jnp.asarray(v) for k, v in d.params.items()})
        assert (theirs.batch_shape, theirs.event_shape) == (d.batch_shape, d.event_shape)
        np.testing.assert_allclose(value, theirs.log_prob(y), rtol=1e-6, atol=1e-6)

    levels, key = np.array([0.9, 1.1]) * usual, family(name).level.name
    axes = vmap_over(d, params={k: 0 if k == key else None for k in d.params})
    stacked = jax.vmap(lambda v: ours(name, v), out_axes=axes)(levels)
    mapped = jax.vmap(lambda d: d.log_prob(y), in_axes=(axes,))(stacked)
    np.testing.assert_allclose(mapped, [ours(name, float(v)).log_prob(y) for v in levels], rtol=1e-9)

    @jax.jit
    def slopes(d, y):
        return jax.value_and_grad(lambda d, y: jnp.sum(d.log_prob(y)), (0, 1))(d, y)

    total, (by_d, by_value) = slopes(d, y)
    np.testing.assert_allclose(total, jnp.sum(value), rtol=1e-10)
    ends = [float(jnp.sum(ours(name, usual * (1 + h)).log_prob(y))) for h in (1e-6, -1e-6)]
    np.testing.assert_allclose(by_d.params[key], (ends[0] - ends[1]) / (2e-6 * usual), rtol=1e-4, atol=1e-4)
    assert bool(jnp.all(jnp.isfinite(by_value))) and bool(jnp.all(jnp.isfinite(by_d.x)))
    assert by_value.shape == y.shape and by_d.x.shape == x.shape

    np.testing.assert_allclose(d.to_event(1).log_prob(y), value.sum(-1), rtol=1e-10)
    np.testing.assert_allclose(d.expand((5, *batch)).log_prob(y[0]), jnp.broadcast_to(value[0], (5, *batch)))
    np.testing.assert_array_equal(d.mask(False).log_prob(y), 0.0)


def test_in_a_plate_of_a_program():
    def program(y=None):
        scale = numpyro.sample("scale", dist.Exponential(1.0))
        with numpyro.plate("rows", 3):
            numpyro.sample("y", family("speckle").distribution(scale * RATE, L=4.0), obs=y)

    drawn = handlers.trace(handlers.seed(program, KEY)).get_trace()
    assert drawn["y"]["value"].shape == (3,)
    y, scale = drawn["y"]["value"], 1.7
    joint, _ = log_density(program, (y,), {}, {"scale": scale})
    np.testing.assert_allclose(joint, dist.Gamma(4.0, 4.0 / (scale * RATE)).log_prob(y).sum() - scale, rtol=1e-9)


def test_a_kernel_may_be_compiled_while_a_program_is_traced():
    fresh = family("gaussian").subs({"sigma": 1.25})
    slope = jax.jit(jax.grad(lambda x: fresh.distribution(x).log_prob(0.5)))(1.0)
    np.testing.assert_allclose(slope, -0.5 / 1.25**2, rtol=1e-9)


def test_an_angle_is_one_turn_when_latent_and_any_when_observed():
    d = family("von_mises").distribution(3.0, kappa=2.0)
    assert d.support is dist.constraints.circular
    draws = d.sample(KEY, (500,))
    assert bool(jnp.all(jnp.abs(draws) <= np.pi)) and bool(jnp.any(draws < 0))
    np.testing.assert_allclose(d.log_prob(draws + 6 * np.pi), d.log_prob(draws), rtol=1e-9)
    assert bool(admits(d.to_event(0).support, 4.0)) and not bool(admits(d.support, jnp.nan))
    assert not bool(admits(dist.constraints.independent(dist.constraints.positive, 1), -jnp.ones(2)))

    def program():
        numpyro.sample("angle", d)

    reparametrised = handlers.reparam(program, config={"angle": CircularReparam()})
    trace = handlers.trace(
        handlers.seed(handlers.substitute(reparametrised, {"angle_unwrapped": 9.0}), KEY)
    ).get_trace()
    np.testing.assert_allclose(trace["angle"]["value"], 9.0 - 2 * np.pi, rtol=1e-9)


def test_a_product_has_a_distribution_for_each_block():
    product = sd.Kernel.product({"left": family("gaussian"), "right": family("laplace")})
    with pytest.raises(DerivationError, match=r"kernel.blocks\['left'\]"):
        product.distribution({"left": 1.0, "right": 0.0}, sigma=1.0)
    ours, normal = product.blocks["left"].distribution(LINE, sigma=0.7), dist.Normal(LINE, 0.7)
    np.testing.assert_allclose(ours.log_prob(0.1), normal.log_prob(0.1), rtol=1e-9)
