"""Langevin kernels as NumPyro's MCMC meets them: the contract of an MCMCKernel, point by point."""

import inspect
import os
import pickle
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.infer import HMC, MCMC, NUTS, BarkerMH
from numpyro.infer.mcmc import MCMCKernel

import symdsm as sd
from symdsm.errors import EnergyRequired

from .conftest import mixture

KERNELS = {
    "MALA": sd.MALA,
    "adjusted": lambda *a, **k: sd.UnderdampedLangevin(*a, adjusted=True, **k),
    "ULA": lambda *a, **k: sd.ULA(*a, step_size=0.05, **k),
    "underdamped": lambda *a, **k: sd.UnderdampedLangevin(*a, step_size=0.2, **k),
}
SOME = ["MALA", pytest.param("underdamped", marks=pytest.mark.slow)]
KEY = jax.random.key(0)


def model(y):
    scale = numpyro.sample("scale", dist.Gamma(3.0, 1.0))
    numpyro.deterministic("double", 2 * scale)
    numpyro.sample("y", dist.Exponential(scale), obs=y)


def pair():
    numpyro.sample("a", dist.Normal(0.0, 1.0))
    numpyro.sample("b", dist.Normal(0.0, 1.0))


Y = jnp.array([0.5, 1.0, 1.5])


def mcmc(kernel, draws=30, warmup=20, chains=1, method="sequential", **options):
    return MCMC(
        kernel,
        num_warmup=warmup,
        num_samples=draws,
        num_chains=chains,
        chain_method=method,
        progress_bar=False,
        **options,
    )


@pytest.mark.parametrize("name", KERNELS)
def test_what_mcmc_reads_before_it_runs(name):
    kernel = KERNELS[name](model)
    assert isinstance(kernel, MCMCKernel) and kernel.model is model and kernel._sample_fn is None
    assert (type(kernel).sample_field, type(kernel).default_fields) == ("z", ("z", "diverging"))
    assert KERNELS[name](potential_fn=jnp.sum).model is None
    assert list(inspect.signature(kernel.init).parameters) == [
        "rng_key", "num_warmup", "init_params", "model_args", "model_kwargs"
    ]  # fmt: skip


@pytest.mark.parametrize("name", KERNELS)
def test_sample_is_pure_and_keeps_structure_and_types(name, dtype):
    kernel = KERNELS[name](model)
    y = jnp.asarray(np.array([0.5, 1.0], dtype))
    state = kernel.init(KEY, 4, None, model_args=(y,), model_kwargs=None)
    step = jax.jit(lambda state: kernel.sample(state, (y,), {}))
    first, again = step(state), step(state)
    for old, new, same in zip(*map(jax.tree.leaves, (state, first, again)), strict=True):
        assert (jnp.shape(old), old.dtype) == (jnp.shape(new), new.dtype)
        np.testing.assert_array_equal(*(jax.random.key_data(v) if v.dtype == KEY.dtype else v for v in (new, same)))
    assert first.adapt_state.step_size.dtype == first.potential_energy.dtype == dtype
    assert f"{first.adapt_state.step_size:.2e}" in kernel.get_diagnostics_str(first)


@pytest.mark.parametrize("name", SOME)
def test_a_chain_alone_and_among_others_bit_for_bit(name):
    together = mcmc(KERNELS[name](model), chains=2)
    together.run(KEY, Y)
    alone = [mcmc(KERNELS[name](model)) for _ in range(2)]
    for chain, key in zip(alone, jax.random.split(KEY), strict=True):
        chain.run(key, Y)
    draws = np.stack([chain.get_samples()["scale"] for chain in alone])
    np.testing.assert_array_equal(draws, together.get_samples(group_by_chain=True)["scale"])


@pytest.mark.slow
def test_vmap_as_chain_method(x64):
    draws = {}
    for method in ("sequential", jax.vmap):
        chains = mcmc(sd.MALA(model), chains=2, method=method)
        chains.run(KEY, Y)
        draws[method] = chains.get_samples()["scale"]
    np.testing.assert_allclose(*draws.values(), rtol=1e-9)


PARALLEL = """
import jax, numpy as np, numpyro, numpyro.distributions as dist, symdsm as sd
from numpyro.infer import MCMC

def model(y):
    numpyro.sample("y", dist.Exponential(numpyro.sample("scale", dist.Gamma(3.0, 1.0))), obs=y)

assert jax.local_device_count() == 2
for make in (sd.MALA, lambda m: sd.UnderdampedLangevin(m, step_size=0.2)):
    draws, homes = [], []
    for method in ("sequential", "parallel"):
        chains = MCMC(make(model), num_warmup=20, num_samples=30, num_chains=2, chain_method=method, progress_bar=False)
        chains.run(jax.random.key(0), np.array([0.5, 1.0, 1.5]))
        homes.append(len(chains.last_state.z["scale"].sharding.device_set))
        draws.append(np.asarray(chains.get_samples(group_by_chain=True)["scale"]))
    assert homes[1] == 2, homes
    np.testing.assert_allclose(*draws, rtol=1e-4)
print("the same draws on two devices")
"""


@pytest.mark.slow
def test_chains_in_parallel_on_two_devices():
    flags = "--xla_force_host_platform_device_count=2"
    done = subprocess.run(
        [sys.executable, "-c", PARALLEL], capture_output=True, text=True, env={**os.environ, "XLA_FLAGS": flags}
    )
    assert done.returncode == 0, done.stderr
    assert "the same draws on two devices" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("method", ["sequential", "vectorized"])
def test_two_data_sets_one_after_the_other(name, method):
    """The second run answers the second data, whether data are arguments of the compiled loop or constants in it."""
    for jit_model_args in (True, False):
        chains = mcmc(KERNELS[name](model), 1500, 200, 2, method, jit_model_args=jit_model_args)
        means = []
        for data in (Y, 10 * Y):
            chains.run(KEY, data)
            means.append(float(chains.get_samples()["scale"].mean()))
        np.testing.assert_allclose(means, [6 / 4, 6 / 31], rtol=0.15)


def test_resumed_chains_do_not_start_again():
    kernel = sd.MALA(model)
    chains = mcmc(kernel, draws=25, warmup=60)
    chains.warmup(KEY, Y, collect_warmup=True)
    assert chains.get_samples()["scale"].shape == (60,)
    tuned = chains.post_warmup_state
    chains.run(jax.random.key(1), Y)
    chains.post_warmup_state = chains.last_state
    kernel.init = None  # a resumed run has no use for it
    chains.run(chains.post_warmup_state.rng_key, Y, extra_fields=("i", "mean_accept_prob", "adapt_state.step_size"))
    fields = chains.get_extra_fields()
    assert int(fields["i"][-1]) == 60 + 50
    np.testing.assert_array_equal(fields["adapt_state.step_size"], tuned.adapt_state.step_size)
    del kernel.init
    again = pickle.loads(pickle.dumps(kernel))
    assert again._sample_fn is None and again.model is model


def test_fields_can_be_asked_for_and_dropped():
    chains = mcmc(sd.MALA(pair))
    chains.run(KEY, extra_fields=("~z.a", "potential_energy", "accept_prob", "mean_accept_prob"))
    assert set(chains.get_samples()) == {"b"}
    fields = chains.get_extra_fields()
    assert set(fields) == {"potential_energy", "accept_prob", "mean_accept_prob", "diverging"}
    np.testing.assert_allclose(
        fields["mean_accept_prob"], np.cumsum(fields["accept_prob"]) / np.arange(1, 31), rtol=1e-5, atol=1e-30
    )


def test_without_warmup_nothing_is_tuned():
    chains = mcmc(sd.MALA(pair, step_size=0.3), warmup=0)
    chains.run(KEY, extra_fields=("adapt_state.step_size",))
    np.testing.assert_allclose(chains.get_extra_fields()["adapt_state.step_size"], 0.3, rtol=1e-6)


def test_refreshed_and_wrapped_for_gibbs():
    kernel = sd.MALA(model)
    state = kernel.init(KEY, 4, None, model_args=(Y,), model_kwargs=None)
    other = kernel.refresh(state, (10 * Y,), {})
    fresh = kernel._evaluate(kernel._potential((10 * Y,), {}), lambda flat: {"scale": flat[0]})(state.z["scale"][None])
    np.testing.assert_allclose(other.potential_energy, fresh.potential, rtol=1e-6)
    np.testing.assert_allclose(other.z_grad["scale"], fresh.grad[0], rtol=1e-6)
    wrapped = kernel.wrap_model(lambda inner: numpyro.handlers.condition(inner, {"scale": 1.0}))
    assert wrapped._sample_fn is None and wrapped.model is not model and kernel._sample_fn is not None
    with pytest.raises(ValueError, match="model"):
        sd.MALA(potential_fn=jnp.sum).wrap_model(lambda inner: inner)


def discrete():
    numpyro.sample("x", dist.Normal(numpyro.sample("k", dist.Bernoulli(0.5)), 1.0))


def pinned():
    numpyro.sample("x", dist.Normal(numpyro.sample("fixed", dist.Delta(0.0)), 1.0))


def impossible():
    numpyro.factor("never", numpyro.sample("x", dist.Normal(0.0, 1.0)) * 0 - jnp.inf)


@pytest.mark.parametrize(
    "program, error, words",
    [(pinned, ValueError, "delta distribution"), (impossible, RuntimeError, "Cannot find valid initial parameters")],
)
def test_programs_that_numpyro_refuses(program, error, words):
    with pytest.raises(error, match=words):
        mcmc(sd.MALA(program)).run(KEY)


def score(z):
    return 2.0 - z


def of_a_score(fit):
    def program():
        numpyro.sample("x", sd.LearnedScore(fit))

    return program


NUMPYROS = {"HMC": HMC, "NUTS": NUTS, "BarkerMH": BarkerMH}


@pytest.mark.parametrize("name", NUMPYROS)
def test_numpyros_metropolis_kernels_refuse_a_score_before_anything_is_drawn(name):
    """They look at nothing when they are made; at the first look, in `init`, a score answers with the two ways out."""
    kernel = NUMPYROS[name](potential_fn=sd.VectorScore(score))
    with pytest.raises(EnergyRequired, match=r"sd.ULA .*potential_from_score\(score, anchor=\.\.\.\)"):
        kernel.init(KEY, 10, jnp.zeros(2), model_args=(), model_kwargs={})
    program = of_a_score(mixture([[0.0, 1.0]], [1.0], is_energy=False))
    with pytest.raises(EnergyRequired, match="sd.ULA"):
        NUMPYROS[name](program).init(KEY, 10, None, model_args=(), model_kwargs={})


@pytest.mark.parametrize("adjusted", [sd.MALA, KERNELS["adjusted"]])
@pytest.mark.parametrize("given", ["a VectorScore", "the score of a fit", "a network", "a learned score"])
def test_our_metropolis_kernels_refuse_a_score_when_they_are_made(adjusted, given):
    fit = mixture([[0.0, 1.0]], [1.0], is_energy=False)
    potential = {
        "a VectorScore": sd.VectorScore(score),
        "the score of a fit": fit.score,
        "a network": sd.Score((2,), key=KEY, width=8, depth=1),
        "a learned score": sd.LearnedScore(fit),
    }[given]
    with pytest.raises(EnergyRequired, match=r"sd.ULA .*potential_from_score\(score, anchor=\.\.\.\)"):
        adjusted(potential_fn=potential)


def test_a_potential_that_returns_a_vector_is_a_score():
    with pytest.raises(EnergyRequired, match=r"values have the shape \(2,\)"):
        mcmc(sd.MALA(potential_fn=score)).run(KEY, init_params=jnp.zeros(2))
    with pytest.raises(EnergyRequired, match=r"shape \(2,\)"):
        mcmc(sd.ULA(potential_fn=score), chains=3, method="vectorized").run(KEY, init_params=jnp.zeros((3, 2)))
