"""Langevin kernels: stationary laws with known moments, and NumPyro's contract for an MCMC kernel."""

import pickle

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.diagnostics import effective_sample_size
from numpyro.infer import MCMC, NUTS, init_to_uniform
from numpyro.infer.gibbs import Gibbs
from numpyro.infer.reparam import LocScaleReparam
from scipy import stats

import symdsm as sd
from symdsm.errors import EnergyRequired, ParameterError, ShapeError
from symdsm.inference.langevin_base import Langevin

KERNELS = {
    "MALA": lambda *a, **k: sd.MALA(*a, **k),
    "MALA dense": lambda *a, **k: sd.MALA(*a, dense_mass=True, **k),
    "adjusted": lambda *a, **k: sd.UnderdampedLangevin(*a, adjusted=True, **k),
    "ULA": lambda *a, **k: sd.ULA(*a, step_size=0.05, **k),
    "underdamped": lambda *a, **k: sd.UnderdampedLangevin(*a, step_size=0.2, **k),
}
EXACT = ("MALA", "MALA dense", "adjusted")


def run(kernel, *args, start=None, draws=2000, warmup=500, chains=1, method="sequential", seed=0, fields=()):
    mcmc = MCMC(
        kernel, num_warmup=warmup, num_samples=draws, num_chains=chains, chain_method=method, progress_bar=False
    )
    mcmc.run(jax.random.key(seed), *args, init_params=start, extra_fields=fields)
    return mcmc


def assert_moments(draws, mean, variance, least_ess=300):
    """Mean and variance of draws (chains, n, d) within 4 standard errors, given enough effective draws."""
    draws = np.asarray(draws).reshape(*draws.shape[:2], -1)
    square = (draws - mean) ** 2
    for values, truth in ((draws, mean), (square, variance)):
        ess = np.asarray(effective_sample_size(values))
        assert ess.min() > least_ess
        error = values.std((0, 1)) / np.sqrt(ess)
        np.testing.assert_array_less(np.abs(values.mean((0, 1)) - truth), 4 * error)


def normal(z):
    return jnp.sum(z**2) / 2


def skewed(z):
    return jnp.sum(jnp.exp(z) - z)


def model(y):
    scale = numpyro.sample("scale", dist.Gamma(3.0, 1.0))
    numpyro.deterministic("double", 2 * scale)
    numpyro.sample("y", dist.Exponential(scale), obs=y)


Y = jnp.array([0.5, 1.0, 1.5])  # scale | y ~ Gamma(3 + 3, 1 + 3)


@pytest.mark.parametrize("step", [0.1, 0.3])
def test_unadjusted_variance(step):
    draws = run(sd.ULA(potential_fn=normal, step_size=step), start=jnp.zeros((8, 50)), chains=8, method="vectorized")
    values = draws.get_samples(group_by_chain=True)
    assert_moments(values, 0.0, 1 / (1 - step / 2))


@pytest.mark.parametrize("step", [0.8, 1.2])
def test_baoab_is_exact_on_a_gaussian(step):
    kernel = sd.UnderdampedLangevin(potential_fn=normal, step_size=step, num_steps=1)
    draws = run(kernel, start=jnp.zeros((8, 50)), chains=8, method="vectorized")
    assert_moments(draws.get_samples(group_by_chain=True), 0.0, 1.0)


@pytest.mark.parametrize("name", EXACT)
def test_skewed_target(name):
    mcmc = run(KERNELS[name](potential_fn=skewed), start=jnp.zeros((4, 3)), chains=4, method="vectorized")
    assert_moments(mcmc.get_samples(group_by_chain=True), -np.euler_gamma, np.pi**2 / 6)


def test_back_from_a_steep_tail():
    """log |n| with n ~ N(0, 1), from where a step along the whole gradient leaps 400 to the left and is refused."""
    kernel = sd.MALA(potential_fn=lambda z: jnp.sum(jnp.exp(2 * z) / 2 - z), step_size=1.0, adapt_step_size=False)
    mcmc = run(kernel, start=jnp.full((8, 2), 3.0), chains=8, method="vectorized", warmup=0)
    draws = mcmc.get_samples(group_by_chain=True)[:, 20:]
    assert_moments(draws, -(np.euler_gamma + np.log(2)) / 2, np.pi**2 / 8)


# A diagonal mass cannot undo a rotation: those kernels meet their Gaussian along its axes.
ILL = [("MALA", False), ("MALA dense", False), ("MALA dense", True), ("adjusted", False)]


@pytest.mark.slow
@pytest.mark.parametrize("name, rotated", ILL)
def test_ill_conditioned_gaussian(name, rotated):
    """d = 100, condition number 1000."""
    variance = np.logspace(0, 3, 100)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(100, 100)))[0] if rotated else np.eye(100)
    precision = jnp.asarray(turn / variance @ turn.T, jnp.float32)

    def potential(z):
        return z @ precision @ z / 2

    start = jnp.zeros((4, 100))
    mcmc = run(
        KERNELS[name](potential_fn=potential), start=start, chains=4, method="vectorized", draws=4000, warmup=2000
    )
    truth = np.diag(turn * variance @ turn.T)
    assert_moments(mcmc.get_samples(group_by_chain=True), 0.0, truth)


def funnel():
    """Neal's funnel, whose neck a sampler cannot enter unless it is unfolded."""
    v = numpyro.sample("v", dist.Normal(0.0, 3.0))
    numpyro.sample("x", dist.Normal(0.0, jnp.exp(v / 2)).expand([9]).to_event(1))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MALA", "adjusted"])
def test_unfolded_funnel(name):
    unfolded = numpyro.handlers.reparam(funnel, config={"x": LocScaleReparam(0.0)})
    draws = run(KERNELS[name](unfolded), chains=4, method="vectorized").get_samples(group_by_chain=True)
    assert_moments(draws["v"], 0.0, 9.0)
    assert_moments(draws["x"] / np.exp(draws["v"][..., None] / 2), 0.0, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXACT)
def test_banana(name):
    """z0 ~ N(0, 1), z1 | z0 ~ N(z0^2 / 2, 1): E z1 = 1/2, var z1 = 3/2."""

    def potential(z):
        return z[0] ** 2 / 2 + (z[1] - z[0] ** 2 / 2) ** 2 / 2

    mcmc = run(KERNELS[name](potential_fn=potential), start=jnp.zeros((8, 2)), chains=8, method="vectorized")
    draws = mcmc.get_samples(group_by_chain=True)
    assert_moments(draws[..., 0], 0.0, 1.0)
    assert_moments(draws[..., 1], 0.5, 1.5)


@pytest.mark.slow
def test_the_arms_of_a_bent_law():
    """z0 ~ N(0, 10^2), z1 | z0 ~ N(0.03 z0^2, 1): E z1 = 3, var z1 = 19; one draw in twenty is beyond |z0| = 20."""

    def potential(z):
        return (z[0] / 10) ** 2 / 2 + (z[1] - 0.03 * z[0] ** 2) ** 2 / 2

    kernel = KERNELS["adjusted"](potential_fn=potential)
    mcmc = run(kernel, start=jnp.zeros((16, 2)), chains=16, method="vectorized", draws=8000, warmup=1000)
    draws = mcmc.get_samples(group_by_chain=True)
    assert_moments(draws[..., 0], 0.0, 100.0)
    assert_moments(draws[..., 1], 3.0, 19.0)
    far = stats.norm.sf(2) * 2
    assert_moments(np.abs(draws[..., 0]) > 20, far, far * (1 - far))


EFFECT = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
ERROR = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


def schools():
    mu = numpyro.sample("mu", dist.Normal(0.0, 10.0))
    tau = numpyro.sample("tau", dist.HalfNormal(10.0))
    with numpyro.plate("schools", 8):
        theta = numpyro.sample("theta", dist.Normal(0.0, 1.0))
        numpyro.sample("y", dist.Normal(mu + tau * theta, ERROR), obs=EFFECT)


def by_quadrature():
    """Mean and variance of mu and tau: given tau, mu is normal; tau by Gauss-Legendre on [0, 100]."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    tau, weights = 50 * (nodes + 1), 50 * weights
    precision = 1 / (ERROR**2 + tau[:, None] ** 2)
    total = precision.sum(1) + 1 / 100
    mean = (precision * EFFECT).sum(1) / total
    log_evidence = (np.log(precision).sum(1) - np.log(total) - (precision * EFFECT**2).sum(1) + mean**2 * total) / 2
    mass = weights * np.exp(log_evidence - log_evidence.max() - tau**2 / 200)
    mass /= mass.sum()
    mu, t = (mass * mean).sum(), (mass * tau).sum()
    return {"mu": (mu, (mass * (1 / total + mean**2)).sum() - mu**2), "tau": (t, (mass * tau**2).sum() - t**2)}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXACT)
def test_eight_schools(name):
    draws = run(KERNELS[name](schools), chains=8, method="vectorized", draws=6000, warmup=1000)
    for site, (mean, variance) in by_quadrature().items():
        assert_moments(draws.get_samples(group_by_chain=True)[site], mean, variance)


SOME_SLOW = ["MALA", *(pytest.param(name, marks=pytest.mark.slow) for name in EXACT[1:])]


@pytest.mark.parametrize("name", SOME_SLOW)
def test_positive_support(name):
    mcmc = run(KERNELS[name](model), Y, chains=4, method="vectorized")
    draws = mcmc.get_samples(group_by_chain=True)
    assert_moments(draws["scale"], 6 / 4, 6 / 16)
    np.testing.assert_allclose(draws["double"], 2 * draws["scale"], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MALA", "underdamped"])
def test_chains_are_the_same_however_they_run(name):
    draws = {
        method: run(KERNELS[name](model), Y, chains=2, method=method, draws=50, warmup=50).get_samples()["scale"]
        for method in ("sequential", "vectorized")
    }
    np.testing.assert_allclose(draws["sequential"], draws["vectorized"], rtol=1e-4)


def test_init_params_and_resume_and_pickle():
    kernel = KERNELS["MALA"](model)
    mcmc = run(kernel, Y, start={"scale": jnp.array(3.0)}, draws=1, warmup=0)
    assert abs(np.log(mcmc.get_samples()["scale"][0]) - 3.0) < 2.0
    whole = run(KERNELS["underdamped"](potential_fn=normal), start=jnp.ones(2), draws=40, warmup=0).get_samples()
    half = run(KERNELS["underdamped"](potential_fn=normal), start=jnp.ones(2), draws=20, warmup=0)
    state = half.last_state
    assert state.velocity.shape == (2,) and int(state.i) == 20
    half.post_warmup_state = state
    half.run(state.rng_key)
    np.testing.assert_allclose(half.get_samples(), whole[20:], rtol=1e-6)
    again = run(pickle.loads(pickle.dumps(kernel)), Y, start={"scale": jnp.array(3.0)}, draws=1, warmup=0)
    np.testing.assert_array_equal(again.get_samples()["scale"], mcmc.get_samples()["scale"])


def test_arviz_reads_the_fields():
    fields = ("potential_energy", "accept_prob", "adapt_state.step_size")
    data = az.from_numpyro(run(KERNELS["MALA"](model), Y, draws=50, warmup=50, fields=fields))
    assert {"lp", "acceptance_rate", "step_size", "diverging"} <= set(data["sample_stats"])
    assert set(data["posterior"]) == {"scale", "double"}


@pytest.mark.slow
def test_blocks_of_gibbs():
    def pair():
        a = numpyro.sample("a", dist.Normal(0.0, 1.0))
        numpyro.sample("b", dist.Normal(a, 0.5))

    kernel = Gibbs([(sd.MALA(pair), ["a"]), (sd.MALA(pair), ["b"])])
    mcmc = run(kernel, draws=8000)
    draws = mcmc.get_samples(group_by_chain=True)
    assert_moments(draws["b"], 0.0, 1.25)


def test_an_exploding_step_is_not_taken():
    mcmc = run(
        sd.ULA(potential_fn=lambda z: jnp.sum(z**4), step_size=1.0), start=3 * jnp.ones(2), fields=("diverging",)
    )
    assert np.isfinite(mcmc.get_samples()).all()
    assert mcmc.get_extra_fields()["diverging"].any()


def score(z):
    return 2.0 - z


def test_unadjusted_kernels_take_a_bare_score():
    kernel = sd.UnderdampedLangevin(potential_fn=sd.VectorScore(score), step_size=0.5)
    mcmc = run(kernel, start=jnp.zeros((4, 20)), chains=4, method="vectorized", fields=("potential_energy",))
    assert_moments(mcmc.get_samples(group_by_chain=True), 2.0, 1.0)
    assert np.isnan(mcmc.get_extra_fields()["potential_energy"]).all()


def with_blocks():
    """Past the annotations, which users do not have checked."""
    kernel = object.__new__(sd.MALA)
    Langevin.__init__(kernel, model, None, 0.1, (True, True), [("scale",)], 0.574, init_to_uniform)


@pytest.mark.parametrize(
    "make, error, words",
    [
        (lambda: sd.MALA(potential_fn=sd.VectorScore(score)), EnergyRequired, "potential_from_score"),
        (
            lambda: sd.UnderdampedLangevin(potential_fn=sd.VectorScore(score), adjusted=True),
            EnergyRequired,
            "sd.ULA",
        ),
        (lambda: run(NUTS(potential_fn=sd.VectorScore(score)), start=jnp.zeros(2)), EnergyRequired, "has none"),
        (lambda: sd.MALA(model, normal), ValueError, "exactly one"),
        (lambda: sd.ULA(), ValueError, "exactly one"),
        (lambda: sd.ULA(model, step_size=-1.0), ParameterError, "positive"),
        (lambda: sd.UnderdampedLangevin(model, friction=0.0), ParameterError, "friction"),
        (lambda: sd.MALA(model, target_accept_prob=57.4), ParameterError, "between 0 and 1"),
        (with_blocks, ParameterError, "no blocks of sites"),
        (lambda: run(sd.MALA(potential_fn=normal)), ValueError, "init_params"),
    ],
)
def test_bad_input(make, error, words):
    with pytest.raises(error, match=words):
        make()


def rotating(z):
    return -jnp.array([[1.0, 0.3], [-0.075, 0.25]]) @ z


def test_potential_from_a_score_with_curl():
    potential = sd.potential_from_score(rotating, anchor=jnp.zeros(2))
    z = jnp.array([0.4, -1.3])
    np.testing.assert_allclose(potential(z), -z @ rotating(z) / 2, rtol=1e-5)
    np.testing.assert_allclose(jax.grad(potential)(z), -rotating(z), rtol=1e-5)
    jacobian = np.array([[1.0, 0.3], [-0.075, 0.25]])
    odd, even = (np.linalg.norm(jacobian + sign * jacobian.T) for sign in (-1, 1))
    many = potential.curl(z, jax.random.key(0), probes=20_000)
    np.testing.assert_allclose(many, odd / np.hypot(odd, even), rtol=0.02)
    truth = np.linalg.inv((jacobian + jacobian.T) / 2)
    mcmc = run(sd.MALA(potential_fn=potential), start=jnp.zeros((4, 2)), chains=4, method="vectorized")
    assert_moments(mcmc.get_samples(group_by_chain=True), 0.0, np.diag(truth))


def test_a_line_potential_wants_its_structure():
    potential = sd.potential_from_score(lambda z: {"a": -z["a"]}, anchor={"a": jnp.ones(3)})
    np.testing.assert_allclose(potential({"a": jnp.zeros(3)}), -1.5, rtol=1e-6)
    with pytest.raises(ShapeError, match="3"):
        potential({"a": jnp.zeros(2)})
    with pytest.raises(ParameterError, match="node"):
        sd.potential_from_score(score, anchor=jnp.zeros(1), nodes=0)
