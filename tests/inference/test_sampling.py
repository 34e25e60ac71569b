"""The front door: what "auto" chooses, what a tree holds, how the other methods do, and what is refused."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.diagnostics import effective_sample_size
from scipy import stats

from symdsm.errors import DataError, EnergyRequired, ParameterError, SamplingError, ShapeError
from symdsm.inference import outcome
from symdsm.inference.compiled import Joint
from symdsm.inference.handlers import noise_level
from symdsm.inference.predictive import OTHERS
from symdsm.inference.priors import LearnedPrior
from symdsm.inference.sampling import LARGE, choose, sample
from symdsm.inference.scores import LearnedScore
from symdsm.inference.target import Target

from .conftest import QUIET, conjugate, mixture, told, within

Y = jnp.array([0.0, 0.5, 1.0, 2.0, 3.0])


def posterior_of(y, level=0.05):
    """Mean and variance of z given y in `conjugate` with the fixture `gaussian`."""
    prior = 0.7**2 + level**2
    variance = 1 / (1 / prior + 4)
    return variance * (1 / prior + 4 * y), variance


def right(draws, level=0.05):
    mean, variance = posterior_of(np.asarray(Y), level)
    return all(within(draws[..., i], mean[i]) and within((draws[..., i] - mean[i]) ** 2, variance) for i in range(5))


def scored(fit):
    def program(y):
        z = numpyro.sample("z", LearnedScore(fit))
        numpyro.sample("y", dist.Normal(z, 0.5).to_event(1), obs=y)

    return program


def ordinary(y):
    mean = numpyro.sample("mean", dist.Normal(0.0, 1.0))
    numpyro.sample("y", dist.Normal(mean, 1.0), obs=y)


@pytest.mark.parametrize(
    "build, method, chosen, words",
    [
        (conjugate, "auto", "tempered", "5 latent numbers"),
        (conjugate, "smc", "smc", ""),
        (scored, "auto", "annealed", "score alone"),
        (lambda fit: ordinary, "auto", "nuts", "no latent LearnedPrior"),
        (lambda fit: noise_level(1.0, conjugate(fit)), "auto", "nuts", "its level is given"),
        (lambda fit: noise_level(1.0, scored(fit)), "auto", "underdamped", "score at a given level"),
    ],
)
def test_auto_says_what_it_chose(gaussian, build, method, chosen, words):
    found, why = choose(Target(build(gaussian), (Y,), {}, {}, "auto"), method)
    assert found == chosen and words in why


def test_many_dimensions_are_annealed():
    wide = mixture(np.zeros((1, LARGE + 1)), [1.0], n=2)
    program = conjugate(wide)
    assert choose(Target(program, (jnp.zeros(LARGE + 1),), {}, {}, "declared"), "auto")[0] == "annealed"


@pytest.fixture(scope="module")
def nuts():
    """NUTS at a level set from outside."""
    fit = mixture([[1.0] * 5], [1.0], sd=0.7, least=0.05, most=5.0)
    with noise_level(1.0):
        return sample(conjugate(fit), Y, key=jax.random.key(0), chains=2, draws=400, warmup=200, **QUIET)


def test_a_level_given_from_outside_is_kept(nuts):
    assert right(nuts["posterior"]["z"].to_numpy(), level=1.0)
    assert nuts.attrs["method"] == "nuts" and "its level is given" in nuts.attrs["chosen_because"]


def test_log_likelihood_and_predictive_draws(nuts):
    z = nuts["posterior"]["z"].to_numpy()
    exact = stats.norm(z, 0.5).logpdf(np.asarray(Y)).sum(-1)
    np.testing.assert_allclose(nuts["log_likelihood"]["y"], exact, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(nuts["predictive_fit"]["y_observed"], exact, rtol=1e-4, atol=1e-4)
    residual = (nuts["posterior_predictive"]["y"].to_numpy() - z) / 0.5
    assert stats.kstest(residual.ravel(), "norm").pvalue > 0.001
    replicated = -(residual**2).sum(-1) / 2 - 5 * np.log(0.5 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(nuts["predictive_fit"]["y_replicated"], replicated, rtol=1e-3, atol=1e-3)


def test_prior_draws_are_those_of_the_level(nuts):
    z = nuts["prior"]["z"].to_numpy()[0]
    assert stats.kstest((z[:, 0] - 1) / np.hypot(0.7, 1.0), "norm").pvalue > 0.001
    y = nuts["prior_predictive"]["y"].to_numpy()[0]
    assert stats.kstest((y[:, 1] - 1) / np.sqrt(0.7**2 + 1 + 0.25), "norm").pvalue > 0.001
    np.testing.assert_allclose(nuts["prior"]["double"], 2 * nuts["prior"]["z"], rtol=1e-5)


def test_density_of_the_data_under_the_prior(nuts):
    """Given y, the mean of OTHERS values p(y | z) has the mean m(y) and a variance known in closed form."""
    group, y = nuts["prior_fit"], nuts["prior_predictive"]["y"].to_numpy()[0]
    values = np.exp(np.append(group["replicated"].to_numpy()[0], group["observed"]))
    y, noise, spread = np.vstack([y, Y]), 0.25, 0.7**2 + 1.0**2
    m = stats.norm(1, np.sqrt(spread + noise)).pdf(y).prod(-1)
    square = (stats.norm(1, np.sqrt(spread + noise / 2)).pdf(y) / (2 * np.sqrt(np.pi * noise))).prod(-1)
    settled = square / m**2 < OTHERS / 2
    z = (values - m)[settled] / np.sqrt((square - m**2)[settled] / OTHERS)
    assert settled.sum() > 20 and abs(z.mean()) < 4 and np.median(abs(z)) < 2


def test_gradients_for_the_diagnosis(nuts):
    mean, variance = posterior_of(np.asarray(Y), 1.0)
    group = nuts["diagnosis"]
    np.testing.assert_allclose(group["gradient"], (mean - group["theta"].to_numpy()) / variance, rtol=1e-3, atol=1e-3)


def test_what_cannot_be_drawn_is_named(gaussian):
    def program():
        z = numpyro.sample("z", LearnedPrior(gaussian))
        b = numpyro.sample("b", dist.ImproperUniform(dist.constraints.real, (), ()))
        numpyro.factor("pull", -0.5 * jnp.sum((z - b) ** 2))

    with noise_level(1.0):
        tree = sample(program, key=jax.random.key(0), chains=1, draws=50, warmup=50, **QUIET)
    assert "prior" not in tree.children and tree.attrs["left_out"] == ["prior: a latent site cannot be drawn"]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["annealed", "mala", "underdamped"])
def test_other_methods_on_a_conjugate_posterior(gaussian, method, capsys):
    tree = sample(conjugate(gaussian), Y, key=jax.random.key(3), draws=1500, warmup=500, method=method)
    err = capsys.readouterr().err
    assert {"accept", "level"} == set(told(err, "coming down from noise"))
    said = told(err, {"annealed": "nuts"}.get(method, method))
    assert 0.5 < said["accept"] <= 1 and said["level"] == 0
    np.testing.assert_allclose(said["ESS"], effective_sample_size(tree["posterior"]["z"].to_numpy()).min(), rtol=0.01)
    assert right(tree["posterior"]["z"].to_numpy()) and tree.attrs["adjusted"] == (method != "underdamped")


@pytest.mark.slow
def test_ula_is_off_by_what_its_step_says(gaussian):
    """Coordinates of unit Fisher information and h = 0.05: variance times 1 / (1 - h/2)."""
    tree = sample(conjugate(gaussian), Y, key=jax.random.key(4), draws=6000, warmup=0, method="ula", **QUIET)
    mean, variance = posterior_of(np.asarray(Y))
    z = tree["posterior"]["z"].to_numpy()
    assert within((z - mean).mean(-1), 0.0)
    assert 1.0 < np.mean((z - mean) ** 2) / variance < 1.07


@pytest.mark.slow
def test_a_score_alone_comes_down_unadjusted(gaussian):
    tree = sample(scored(gaussian), Y, key=jax.random.key(5), draws=1500, warmup=200, **QUIET)
    assert right(tree["posterior"]["z"].to_numpy())
    assert tree.attrs["method"] == "annealed" and np.isnan(tree["sample_stats"]["lp"]).all()


@pytest.mark.slow
def test_without_a_learned_prior_levels_do_not_apply():
    tree = sample(ordinary, jnp.array([1.0, 2.0]), key=jax.random.key(0), chains=2, draws=300, warmup=200, **QUIET)
    assert tree.attrs["method"] == "nuts" and "levels do not apply" in tree.attrs["chosen_because"]
    assert "levels" not in tree.children and within(tree["posterior"]["mean"], 1.0)
    for group in ("posterior_predictive", "prior_predictive"):
        assert tree[group]["y"].shape[2:] == (2,)  # as many as the data, though the site itself has one


def interrupt(monkeypatch, when):
    """Ctrl-C at the first call of a compiled function for which `when(its name, its arguments)` is true."""
    call = Joint.__call__

    def interrupted(self, fn, *args, **kwargs):
        if when(fn.__name__, args):
            raise KeyboardInterrupt
        return call(self, fn, *args, **kwargs)

    monkeypatch.setattr(Joint, "__call__", interrupted)


@pytest.mark.slow
@pytest.mark.parametrize("method, reached", [("tempered", 2), ("nuts", 5)])
def test_an_interrupted_run_returns_what_is_there_and_goes_on(gaussian, monkeypatch, tmp_path, method, reached):
    def run(path=None):
        options = dict(chains=2, draws=200, warmup=0, method=method, checkpoint=path)
        return sample(conjugate(gaussian), Y, key=jax.random.key(0), **options, **QUIET)

    count = itertools.count()
    with monkeypatch.context() as patch:
        interrupt(patch, lambda name, _: name in ("_chunk", "_piece") and next(count) >= reached)
        part = run(tmp_path)
    assert part.attrs["partial"] == 1 and 0 < part["posterior"].sizes["draw"] < 200
    rest, whole = run(tmp_path), run()
    assert rest.attrs == whole.attrs and rest.attrs["partial"] == 0 and len(list(tmp_path.iterdir())) > 1
    for name in ("z", "double"):
        np.testing.assert_array_equal(rest["posterior"][name], whole["posterior"][name])


@pytest.mark.slow
def test_interrupted_particles_are_those_of_the_populations_at_the_lowest_level(gaussian, monkeypatch, tmp_path):
    places = []

    def down(name, args):
        places.extend([np.asarray(args[2])] if name == "_rung" else [])
        return name == "_rung" and (places[-1] <= 0).any()

    def run(path=None):
        smc = dict(chains=6, draws=1000, method="smc", checkpoint=path)
        return sample(conjugate(gaussian), Y, key=jax.random.key(0), **smc, **QUIET)

    with monkeypatch.context() as patch:
        interrupt(patch, down)
        tree = run(tmp_path)
    assert tree.attrs["partial"] == 1 and tree.attrs["rungs"] == len(places) - 1
    assert tree["posterior"].sizes["chain"] == (places[-1] <= 0).sum() and tree["posterior"].sizes["draw"] == 1000
    assert (tree["levels"]["track"][:, -2] <= 0).all() and right(tree["posterior"]["z"].to_numpy())
    rest, whole = run(tmp_path), run()
    assert rest.attrs == whole.attrs
    np.testing.assert_array_equal(rest["posterior"]["z"], whole["posterior"]["z"])


@pytest.mark.parametrize(
    "method, begun",
    [("tempered", "descend"), ("tempered", "_chunk"), ("annealed", "descend"), ("nuts", "_piece"), ("smc", "_rung")],
)
def test_a_run_interrupted_before_its_first_draw_says_so(gaussian, monkeypatch, tmp_path, method, begun):
    interrupt(monkeypatch, lambda name, _: name == begun)
    program = noise_level(1.0, conjugate(gaussian)) if method == "nuts" else conjugate(gaussian)
    with pytest.raises(
        KeyboardInterrupt, match=f'"{method}" was stopped before it had a draw.*goes on from .{tmp_path}'
    ):
        sample(program, Y, key=jax.random.key(0), chains=2, draws=20, method=method, checkpoint=tmp_path, **QUIET)


def test_draws_outlive_an_interrupt_of_what_is_told_beside_them(gaussian, monkeypatch):
    groups, count = outcome.predictive_groups, itertools.count()

    def interrupted(*args):
        if next(count) == 0:
            raise KeyboardInterrupt
        return groups(*args)

    monkeypatch.setattr(outcome, "predictive_groups", interrupted)
    with noise_level(1.0):
        tree = sample(conjugate(gaussian), Y, key=jax.random.key(0), chains=2, draws=400, warmup=200, **QUIET)
    assert tree.attrs["partial"] == tree["posterior"].attrs["partial"] == 1
    assert right(tree["posterior"]["z"].to_numpy(), level=1.0) and "log_likelihood" in tree.children


def bad_programs(fit):
    def wrong_shape(y):
        z = numpyro.sample("z", LearnedPrior(fit))
        numpyro.sample("y", dist.Normal(z, 1.0).to_event(1), obs=y[:3])

    def outside(y):
        z = numpyro.sample("z", LearnedPrior(fit))
        numpyro.sample("y", dist.Gamma(4.0, 4.0 / jnp.exp(z)).to_event(1), obs=-jnp.ones(5))

    def not_a_number(y):
        z = numpyro.sample("z", LearnedPrior(fit))
        numpyro.factor("broken", jnp.sqrt(-1.0 - z[0] ** 2))

    def discrete(y):
        numpyro.sample("z", LearnedPrior(fit))
        numpyro.sample("k", dist.Poisson(1.0))

    def all_observed(y):
        numpyro.sample("z", LearnedPrior(fit), obs=y)

    def improper(y):
        z = numpyro.sample("z", dist.ImproperUniform(dist.constraints.real, (), ()))
        numpyro.sample("y", dist.Normal(z, 1.0).expand([5]).to_event(1), obs=y)

    def bent(y):
        z = numpyro.sample("z", LearnedPrior(fit))
        numpyro.sample("y", dist.Normal(z**2, 1.0).to_event(1), obs=y)

    score, good = scored(fit), conjugate(fit)
    return locals()


@pytest.mark.parametrize(
    "name, options, error, words",
    [
        ("wrong_shape", {}, ShapeError, "site 'y'"),
        ("outside", {}, DataError, "support"),
        ("not_a_number", {}, SamplingError, "site 'broken' has log density nan"),
        ("not_a_number", {"method": "smc"}, SamplingError, "site 'broken' has log density nan"),
        ("discrete", {}, SamplingError, "'k', which is discrete"),
        ("all_observed", {}, SamplingError, "without a latent site"),
        ("improper", {"method": "smc"}, SamplingError, "proper priors"),
        ("bent", {"likelihood": "inflated"}, SamplingError, "not linear in 'z'"),
        ("score", {"method": "tempered"}, EnergyRequired, "site 'z', which has a score"),
        ("score", {"method": "nuts"}, EnergyRequired, "compare densities"),
        ("good", {"draws": 0}, ParameterError, "draws=0"),
        ("good", {"method": "gibbs"}, ParameterError, "method='gibbs'"),
        ("good", {"likelihood": "cold"}, ParameterError, "likelihood='cold'"),
        ("good", {"chain_method": "sequential"}, ParameterError, "chain_method='sequential'"),
    ],
)
def test_bad_input(gaussian, name, options, error, words):
    with pytest.raises(error, match=words):
        sample(bad_programs(gaussian)[name], jnp.ones(5), key=jax.random.key(0), **QUIET, **options)


def test_init_names_latent_sites(gaussian):
    with pytest.raises(SamplingError, match="init for w"):
        sample(conjugate(gaussian), jnp.zeros(5), key=jax.random.key(0), init={"w": jnp.zeros(5)}, **QUIET)
