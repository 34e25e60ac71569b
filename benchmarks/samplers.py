"""Samplers and learned priors against their peers: `python -m benchmarks.samplers [--draws N] [--repeats N]`.

Ratios of processor seconds, ours to the peer's, from one process; runs alternate, and of each the fastest of the
repeats counts, because other programs can only make it slower.

    MALA        effective draws per second against blackjax.mala on the same target with the same tuned step, no mass:
                the sampling alone, compiled beforehand, both from where ours ended its warm-up. The effective size is
                the least of all coordinates, a mean over CHAINS keys, and the ratio has its standard error; the last
                column is the same ratio for the mean of all coordinates. The target is 1.0 or more. A row with mass
                lets ours tune it, which blackjax.mala does not have.
    overhead    seconds per gradient in a compiled loop over `kernel.sample`, as NumPyro has it, against NumPyro's HMC
                with one leapfrog step. At most 1.0.
    prior       seconds of LearnedPrior.log_prob and its gradient, against jax.value_and_grad of the bare network on
                the same points. At most 1.05.
    likelihood  seconds of log_prob, and of it with its gradient in the clean value, of `kernel.distribution`, against
                NumPyro's distribution of the same law, built inside the compiled function as a program builds it,
                at 10,000 values. At most 1.0.

blackjax comes with `pip install -e '.[bench]'`.
"""

import argparse
import os
import time
from functools import partial

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
from numpyro.diagnostics import effective_sample_size
from numpyro.infer import HMC, MCMC

import symdsm as sd
from benchmarks.codegen_cases import CASES

KEY, WARMUP, CHAINS = jax.random.key(0), 2000, 8


def normal(z):
    return jnp.sum(z**2) / 2


def skewed(z):
    return jnp.sum(jnp.exp(z) - z)


def scaled(z):
    return jnp.sum((z / jnp.linspace(1.0, 10.0, z.size)) ** 2) / 2


def logistic(z):
    """A regression with 500 rows: the gradient costs something."""
    rows = jax.random.normal(jax.random.key(1), (500, z.size))
    signs = jnp.where(jax.random.bernoulli(jax.random.key(2), 0.5, (500,)), 1.0, -1.0)
    return jnp.sum(jax.nn.softplus(-signs * (rows @ z))) + jnp.sum(z**2) / 2


TARGETS = {"normal": (normal, 100), "skewed": (skewed, 50), "scaled": (scaled, 20), "logistic": (logistic, 20)}


def fastest(repeats, *runs):
    """The shortest time of each run, all of them called in turn; the first call, which compiles, does not count."""
    for run in runs:
        jax.block_until_ready(run())
    times = np.full((repeats, len(runs)), np.inf)
    for row in times:
        for k, run in enumerate(runs):
            start = time.process_time()
            jax.block_until_ready(run())
            row[k] = time.process_time() - start
    return times.min(0)


def tuned(potential, size, **options):
    """A MALA kernel and its state after warm-up."""
    kernel = sd.MALA(potential_fn=potential, **options)
    mcmc = MCMC(kernel, num_warmup=WARMUP, num_samples=1, progress_bar=False)
    mcmc.run(KEY, init_params=jnp.zeros(size))
    return kernel, mcmc.last_state


def chain(kernel, state, draws):
    """A function of a key that runs the kernel's `sample`, as numpyro.infer.MCMC does, in one compiled loop."""

    @jax.jit
    def run(state):
        def move(state, _):
            state = kernel.sample(state, (), {})
            return state, state.z

        return jax.lax.scan(move, state, length=draws)[1]

    return lambda key=KEY: run(state._replace(rng_key=key))


def started(kernel, size):
    return kernel, kernel.init(KEY, 0, jnp.zeros(size), model_args=(), model_kwargs={})


def by_blackjax(potential, start, step, draws):
    mala = blackjax.mala(lambda z: -potential(z), step)

    @jax.jit
    def chain(key):
        def move(state, key):
            state, info = mala.step(key, state)
            return state, (state.position, info.acceptance_rate)

        return jax.lax.scan(move, mala.init(start), jax.random.split(key, draws))[1]

    return lambda key=KEY: chain(key)[0]


def ess(run):
    """The least and the mean effective size of the coordinates, for each of CHAINS keys."""
    each = [effective_sample_size(np.asarray(run(key))[None]) for key in jax.random.split(KEY, CHAINS)]
    return np.array([(np.min(e), np.mean(e)) for e in each])


def mala(draws, repeats):
    print(
        "MALA           least ESS, ours  theirs   seconds, ours / theirs   ESS per second, ours / theirs   (mean ESS)"
    )
    for name, (potential, size) in TARGETS.items():
        kernel, state = tuned(potential, size, adapt_mass_matrix=False)
        theirs = by_blackjax(potential, state.z, float(state.adapt_state.step_size), draws)
        report(name, chain(kernel, state, draws), theirs, repeats)
        if name == "scaled":
            report("scaled, with mass", chain(*tuned(potential, size), draws), theirs, repeats)


def report(name, ours, theirs, repeats):
    seconds = fastest(repeats, ours, theirs)
    sizes = np.stack([ess(ours), ess(theirs)])
    mean, error = sizes.mean(1), sizes.std(1, ddof=1) / np.sqrt(CHAINS)
    ratio = mean[0] / mean[1] * seconds[1] / seconds[0]
    errors = ratio * np.sqrt(np.sum((error / mean) ** 2, 0))
    shown = [f"{r:.2f} +- {e:.2f}" for r, e in zip(ratio, errors, strict=True)]
    print(
        f"{name:18} {mean[0, 0]:11.0f} {mean[1, 0]:7.0f} {seconds[0] / seconds[1]:24.2f} {shown[0]:>32} {shown[1]:>15}"
    )


def overhead(draws, repeats):
    print("\noverhead            seconds per gradient, ours / HMC with one leapfrog step")
    for name, (potential, size) in TARGETS.items():
        leapfrog = HMC(potential_fn=potential, step_size=0.1, num_steps=1, adapt_step_size=False,
                       adapt_mass_matrix=False, trajectory_length=None)  # fmt: skip
        kernels = {
            "MALA": sd.MALA(potential_fn=potential, adapt_step_size=False, adapt_mass_matrix=False),
            "ULA": sd.ULA(potential_fn=potential),
            "BAOAB": sd.UnderdampedLangevin(potential_fn=potential, num_steps=1),
        }
        runs = [chain(*started(kernel, size), draws) for kernel in (leapfrog, *kernels.values())]
        peer, *seconds = fastest(repeats, *runs)
        print(f"{name:18}", "  ".join(f"{k} {s / peer:.2f}" for k, s in zip(kernels, seconds, strict=True)))


def prior(repeats):
    print("\nprior               log_prob and gradient, ours / bare network")
    for size, width in ((2, 64), (64, 256)):
        net = sd.Energy((size,), key=KEY, width=width)
        data = np.random.default_rng(0).normal(size=(2000, size))
        options = {"levels": sd.geometric(0.1, 5.0), "steps": 2, "progress": False}
        fit = sd.fit(net, data, sd.families.gaussian(), key=KEY, **options)
        learned = sd.LearnedPrior(fit)
        bare = jax.jit(jax.vmap(jax.value_and_grad(fit.model), (0, None)))
        ours = jax.jit(jax.vmap(jax.value_and_grad(learned.log_prob)))
        for batch in (64, 4096):
            x = jnp.asarray(data[np.arange(batch) % 2000], jnp.float32)
            seconds = fastest(5 * repeats, partial(ours, x), partial(bare, x, jnp.zeros(())))
            print(f"d = {size:3}, width {width:3}, {batch:5} points: {seconds[0] / seconds[1]:.2f}")


def likelihood(repeats):
    print("\nlikelihood              log_prob, ours / NumPyro   with gradient")
    ratios = []
    for case in (case for case in CASES if case.peer is not None):
        kernel, size = case.kernel(), 10_000
        params = {name: jnp.asarray(v, jnp.float32) for name, v in case.params.items()}
        y, x = case.data(kernel.compile(), size, params, jnp.float32)

        def calls(law, y=y, x=x, params=params):
            value = jax.jit(lambda x: jnp.sum(law(x, **params).log_prob(y)))
            both = jax.jit(jax.value_and_grad(lambda x: jnp.sum(law(x, **params).log_prob(y))))
            return [lambda f=f: [f(x) for _ in range(20)] for f in (value, both)]

        ours, theirs = calls(kernel.distribution), calls(case.peer)
        seconds = fastest(3 * repeats, *ours, *theirs)
        ratios.append(seconds[:2] / seconds[2:])
        print(f"{case.name:30} {ratios[-1][0]:18.2f} {ratios[-1][1]:15.2f}")
    mean = np.exp(np.mean(np.log(ratios), 0))
    print(f"{'geometric mean':30} {mean[0]:18.2f} {mean[1]:15.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    mala(options.draws, options.repeats)
    overhead(options.draws, options.repeats)
    prior(options.repeats)
    likelihood(options.repeats)
