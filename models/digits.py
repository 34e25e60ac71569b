"""Handwritten digits through speckle, half of each hidden.

    z = log(1 + intensity) ~ a density learned from digits              (noise: Normal(x, sigma))
    y = (1 + intensity) * e,  e ~ Gamma(L, 1/L),  left half only        (noise: speckle, L looks)

The prior is an energy that matches both derivatives of the noised density, in y (Vincent 2011) and in the
level sigma (Guth, Kadkhodaie and Simoncelli 2025).  So the sampler may move the level as well: it starts from
noise and comes down to the data by itself.  Plain NUTS at the smallest level is the contrast.
"""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import sympy as sp
import sympy.stats as st
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import symdsm as sd

LOOKS, SEEN, HIDDEN = 4.0, np.s_[..., :4], np.s_[..., 4:]
LEVELS, STEPS = sd.geometric(0.3, 7.0), 6000
CHAINS, DRAWS = 4, 1000

x, sigma = sp.Symbol("x", real=True), sp.Symbol("sigma", positive=True)
gaussian = sd.Kernel.from_random(st.Normal("y", x, sigma), clean=x, level=sigma)

i, L = sp.symbols("i L", positive=True)
speckle = sd.Kernel.from_random(i * st.Gamma("e", L, 1 / L), clean=i)


def main(run, held_out=6):
    digits = load_digits().images + 1.0  # 1 + intensity, made continuous by uniform noise
    digits = digits + np.asarray(jax.random.uniform(run.key("dequantise"), digits.shape))
    train, test = train_test_split(digits, random_state=0)

    run.kernel("gaussian", gaussian)
    run.kernel("speckle", speckle)
    fit = run.stage("prior", lambda: learn(run, np.log(train)))

    def program(y):
        z = numpyro.sample("z", sd.LearnedPrior(fit))
        image = numpyro.deterministic("image", jnp.exp(z))
        numpyro.sample("y", speckle.distribution(image[SEEN], L=LOOKS).to_event(2), obs=y)

    def restore(name, y, **how):
        key = run.key(name)
        posterior = run.stage(name, lambda: sd.sample(program, y, key=key, chains=CHAINS, draws=DRAWS, **how))
        return posterior, sd.diagnose(posterior, program=program, fit=fit)

    def observe(n):
        return speckle.compile().sample(run.key(f"speckle {n}"), jnp.asarray(test[n][SEEN]), L=LOOKS)

    found = [restore("posterior" if n == 0 else f"posterior-{n}", observe(n)) for n in range(held_out)]
    _, plain = restore("plain-nuts", observe(0), method="nuts")
    run.note(**quality([posterior for posterior, _ in found], test[:held_out], train))
    verdicts = [diagnosis.verdict for _, diagnosis in found]
    run.note(verdict=verdicts[0], verdict_plain_nuts=plain.verdict, verdicts=verdicts)

    observed = np.concatenate([observe(0), np.full((8, 4), np.nan)], axis=1)
    run.report(found[0][1], truth=test[0], observed=observed, title="Digits through speckle", lead=__doc__)


def learn(run, data):
    net = sd.Energy((8, 8), key=run.key("net"))
    training = {"checkpoint": run.checkpoint("prior"), "resume": True}
    return sd.fit(net, data, gaussian, key=run.key("fit"), levels=LEVELS, steps=STEPS, **training)


def quality(posteriors, truth, train):
    """On the hidden half: MSE of the posterior mean over that of the data mean, coverage of 90% intervals."""
    draws = np.stack([p["posterior"]["image"].to_numpy().reshape(-1, 8, 8) for p in posteriors])
    error = np.square(draws.mean(axis=1) - truth)[HIDDEN].mean()
    baseline = np.square(train.mean(axis=0) - truth)[HIDDEN].mean()
    low, high = np.quantile(draws, [0.05, 0.95], axis=1)
    varies = np.broadcast_to(train.std(axis=0) > 1.0, truth.shape)[HIDDEN]
    inside = ((low <= truth) & (truth <= high))[HIDDEN][varies]
    return {"mse_ratio": float(error / baseline), "coverage": float(inside.mean())}
