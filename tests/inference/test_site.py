"""Score matching as a site: the factor it adds, the gradients it stops, and the fit that comes out."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import optax
import pytest
from numpyro import handlers
from numpyro.infer import SVI, Trace_ELBO
from scipy.stats import multivariate_normal

import symdsm as sd
from symdsm.errors import EnergyRequired, ParameterError, ShapeError

LEVELS = sd.geometric(0.2, 3.0)
COVARIANCE = np.array([[1.0, 0.8], [0.8, 1.0]])


@pytest.fixture(scope="module")
def kernel():
    return sd.families.gaussian()


@pytest.fixture(scope="module")
def net():
    return sd.Energy((2,), key=jax.random.key(0), width=16, depth=1)


def log_factor(program, *args):
    """The factor's log density under fixed randomness."""
    trace = handlers.trace(handlers.seed(program, jax.random.key(1))).get_trace(*args)
    return jnp.sum(trace["prior"]["fn"].log_prob(trace["prior"]["value"])), trace


def test_no_gradient_reaches_x_and_the_weights_are_parameters(kernel, net):
    def program(x):
        sd.score_matching_site("prior", net, kernel, x, levels=LEVELS)

    x = jnp.array([[0.3, -1.0], [2.0, 0.5], [0.0, 0.1]])
    value, trace = log_factor(program, x)
    assert value < 0
    assert trace["prior"]["fn"].batch_shape == (3,)
    assert trace["prior$params"]["type"] == "param"
    np.testing.assert_array_equal(jax.grad(lambda x: log_factor(program, x)[0])(x), 0.0)

    def heavier(x):
        sd.score_matching_site("prior", net, kernel, x, levels=LEVELS, weight=10.0)

    np.testing.assert_allclose(log_factor(heavier, x)[0], 10 * value, rtol=1e-6)


def test_the_loss_of_a_network_that_says_nothing(kernel, net):
    """On standard normal data the tail alone is the score -y / (1 + lam^2), and misses 1 / (1 + lam^2) of the target's
    power 1/lam^2 per coordinate: the loss is the mean of 1 / (2 (1 + lam^2)) over the levels."""
    silent = jax.tree.map(lambda leaf: 0.0 * leaf if isinstance(leaf, jax.Array) else leaf, net)

    def program(x):
        sd.score_matching_site("prior", silent, kernel, x, levels=LEVELS)

    value, _ = log_factor(program, jax.random.normal(jax.random.key(4), (20_000, 2)))
    expected = np.mean(0.5 / (1 + np.geomspace(0.2, 3.0, 2001) ** 2))
    # The target's power is measured on 2048 draws of two coordinates: a relative sd of 2.2%, here three of them.
    np.testing.assert_allclose(-value / 20_000, expected, rtol=0.066)


@pytest.mark.slow
def test_a_site_of_angles_has_their_period(net):
    wrapped, x = sd.families.wrapped_normal(), jnp.array([[3.0, -3.1], [-2.9, 2.5], [3.1, 3.0]])

    def program(x):
        sd.score_matching_site("prior", net, wrapped, x, levels=LEVELS)

    value, trace = log_factor(program, x)
    np.testing.assert_allclose(log_factor(program, x + 2 * jnp.pi)[0], value, rtol=1e-4)
    weights = {"prior$params": trace["prior$params"]["value"]}
    fit = sd.fit_from_site(weights, "prior", net, wrapped, x, key=jax.random.key(2), levels=LEVELS)
    assert fit.model.angles
    np.testing.assert_allclose(fit.score(x - 2 * jnp.pi, 0.5), fit.score(x, 0.5), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_svi_learns_the_density(kernel):
    net = sd.Energy((2,), key=jax.random.key(0))
    data = np.random.default_rng(0).multivariate_normal([1.0, -1.0], COVARIANCE, 4000).astype(np.float32)
    like = jnp.asarray(data[:1000])

    def program(x):
        mean = numpyro.param("mean", jnp.zeros(2))
        with numpyro.plate("rows", len(x), subsample_size=256):
            rows = numpyro.subsample(x, event_dim=1)
            numpyro.sample("x", dist.Normal(mean, 1.0).to_event(1), obs=rows)
            sd.score_matching_site("prior", net, kernel, rows, levels=LEVELS, objective="dual", like=like)

    svi = SVI(program, lambda x: None, numpyro.optim.optax_to_numpyro(optax.adam(2e-3)), Trace_ELBO())
    result = svi.run(jax.random.key(2), 2000, jnp.asarray(data), progress_bar=False)
    np.testing.assert_allclose(result.params["mean"], data.mean(0), atol=0.1)
    fit = sd.fit_from_site(
        result, "prior", net, kernel, data, key=jax.random.key(3), levels=LEVELS, objective="dual", like=like
    )
    for level in (0.3, 1.0):
        noised = data[:500] + level * np.random.default_rng(1).normal(size=(500, 2))
        truth = multivariate_normal([1, -1], COVARIANCE + level**2 * np.eye(2)).logpdf(noised)
        gap = np.asarray(fit.log_prob(jnp.asarray(noised, jnp.float32), level)) - truth
        assert np.abs(gap).mean() < 0.25
    assert sd.LearnedPrior(fit).log_prob(jnp.zeros(2)).shape == ()


def test_random_weights(kernel, net):
    """With a prior each weight is a site, the loss is evaluated at their values, and one draw of them makes a fit."""
    x = jax.random.normal(jax.random.key(4), (64, 2))

    def program(x):
        sd.score_matching_site("prior", net, kernel, x, levels=LEVELS, prior=dist.Normal(0.0, 0.1))

    value, trace = log_factor(program, x)
    weights = {name: site for name, site in trace.items() if name.startswith("prior/")}
    leaves = jax.tree.leaves(eqx.filter(net, eqx.is_inexact_array))
    assert sorted(site["value"].shape for site in weights.values()) == sorted(leaf.shape for leaf in leaves)
    drawn = np.concatenate([np.ravel(site["value"]) for site in weights.values()])
    np.testing.assert_allclose(drawn.std(), 0.1, rtol=0.1)
    silent = handlers.substitute(program, {name: 0.0 * site["value"] for name, site in weights.items()})
    assert abs(log_factor(silent, x)[0] - value) > 1e-3
    draw = {name: site["value"] for name, site in weights.items()}
    fit = sd.fit_from_site(draw, "prior", net, kernel, np.asarray(x), key=jax.random.key(0), levels=LEVELS)
    fitted = [np.ravel(leaf) for leaf in jax.tree.leaves(eqx.filter(fit.model, eqx.is_inexact_array))]
    np.testing.assert_array_equal(np.sort(np.concatenate(fitted)), np.sort(drawn))


def at_site(net, kernel, x, **options):
    def program():
        sd.score_matching_site("prior", net, kernel, x, **options)

    handlers.seed(program, jax.random.key(0))()


@pytest.mark.parametrize(
    "options, x, error, words",
    [
        ({"levels": LEVELS}, jnp.zeros(2), ShapeError, "batch"),
        ({"levels": LEVELS}, jnp.zeros((4, 3)), ShapeError, "2"),
        ({}, jnp.zeros((4, 2)), ParameterError, "levels"),
        ({"levels": LEVELS, "params": {"nu": 1.0}}, jnp.zeros((4, 2)), ParameterError, "nu"),
    ],
)
def test_bad_input(kernel, net, options, x, error, words):
    with pytest.raises(error, match=words):
        at_site(net, kernel, x, **options)


def test_more_bad_input(kernel, net):
    score = sd.Score((2,), key=jax.random.key(0), width=16, depth=1)
    with pytest.raises(EnergyRequired, match="dual"):
        at_site(score, kernel, jnp.zeros((4, 2)), levels=LEVELS, objective="dual")
    with pytest.raises(ParameterError, match="closes? over"):
        jax.jit(lambda like: at_site(net, kernel, jnp.zeros((4, 2)), levels=LEVELS, like=like))(jnp.zeros((9, 2)))
    with pytest.raises(ParameterError, match="prior"):
        sd.fit_from_site({}, "prior", net, kernel, np.ones((3, 2)), key=jax.random.key(0), levels=LEVELS)


def test_a_program_without_a_random_key(kernel, net):
    with pytest.raises(ParameterError, match="handlers.seed"):
        sd.score_matching_site("prior", net, kernel, jnp.zeros((4, 2)), levels=LEVELS)
