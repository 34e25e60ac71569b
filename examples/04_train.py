"""Lesson 4: one data set, every objective, one picture.

Score matching has many forms. All of them regress on the score of the noisy data, which nobody knows; they differ in
what they put in its place, in what they ask of the noise, and in how much they waste. Here each trains the same small
network on the same data for the same number of steps, and each is held against the truth.
"""

import time

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import symdsm as sd
from symdsm.errors import SymdsmError

# 1. The data: 0.7 N(-1.5, 0.4^2) + 0.3 N(1.5, 0.4^2). With Gaussian noise of sd sigma the noisy data are such a mixture
# too, so their score is known.
means, weights, spread = jnp.array([-1.5, 1.5]), jnp.array([0.7, 0.3]), 0.4
rng = np.random.default_rng(0)
data = np.where(rng.uniform(size=(4000, 1)) < 0.7, -1.5, 1.5) + spread * rng.normal(size=(4000, 1))
data = data.astype(np.float32)
gaussian, key = sd.families.gaussian(), jax.random.key(0)
levels = sd.geometric(0.15, 3.0)


def log_q(y, sigma):
    return jax.nn.logsumexp(jnp.log(weights) - (y - means) ** 2 / (2 * (spread**2 + sigma**2)))


def true_score(y, sigma):
    """grad log q of one noisy event of shape (1,)."""
    return jax.grad(lambda v: log_q(v[0], sigma))(y)


# 2. Every objective. A name is a plain one; `sd.objectives` makes those with a choice.
#    esm         is told the true score: only in lessons and tests
#    dsm         takes the score of the noise instead, which is right on average (Vincent 2011)
#    controlled  subtracts what the noise alone would do
#    dual        matches the derivative in the level as well; its energies know the weights of the modes
#    ism, sliced take the divergence of the network instead of any target
#    dae         reconstructs the clean value; for Gaussian noise the score is (reconstruction - y)/sigma^2
energy, score, denoiser = (kind((1,), key=key, width=32, depth=2) for kind in (sd.Energy, sd.Score, sd.Denoiser))
runs = {
    "esm": (score, sd.objectives.esm(true_score)),
    "dsm": (score, "dsm"),
    "controlled": (score, "controlled"),
    "dual": (energy, "dual"),
    "ism": (score, "ism"),
    "sliced": (score, sd.objectives.sliced(projections=2)),
    "dae": (denoiser, "dae"),
}
places, sigma = jnp.linspace(-2.6, 2.6, 105)[:, None], 0.3
exact = jax.vmap(lambda y: true_score(y, sigma))(places)
density = jax.vmap(lambda y: jnp.exp(log_q(y[0], sigma)))(places)
share = density / density.sum()
learned = {}
print("objective    error of the score at sigma = 0.3, as a share of its size; seconds")
for name, (net, objective) in runs.items():
    start = time.perf_counter()
    fit = sd.fit(
        net, data, gaussian, key=key, levels=levels, objective=objective, steps=1200, batch_size=128, ema=0.99,
        learning_rate=5e-3, progress=False,
    )  # fmt: skip
    learned[name] = fit.score(places, sigma)
    miss = jnp.sqrt(share @ (learned[name] - exact)[:, 0] ** 2 / (share @ exact[:, 0] ** 2))
    print(f"{name:12} {miss:.2f}   {time.perf_counter() - start:5.1f}")
    if name == "dual":
        ratio = float(fit.log_prob(jnp.array([-1.5]), 0.15) - fit.log_prob(jnp.array([1.5]), 0.15))
        print(f"{'':12} log ratio of the modes {ratio:.2f}, truth {np.log(0.7 / 0.3):.2f}")

# 3. Not every objective goes with every noise. Implicit score matching integrates by parts, and Laplace noise has a
# kink where that fails; a score has no level derivative; a reconstruction needs a denoiser. Each is refused.
print()
for net, objective, kernel in (
    (score, "ism", sd.families.laplace()),
    (score, "dual", gaussian),
    (energy, "dae", gaussian),
):
    try:
        sd.fit(net, data, kernel, key=key, levels=levels, objective=objective, steps=1, progress=False)
    except SymdsmError as error:
        print(error, "\n")

# 4. Weights decide which levels matter. By default each starts at the same loss; "likelihood" weights bound the log
# likelihood, which for this noise is the same thing. With "uniform" ones the least noise, where scores are largest, is
# nearly all there is: importance=True draws levels where gradients are large, and divides by how often.
for options in ({"weighting": "uniform"}, {"weighting": "uniform", "importance": True}):
    fit = sd.fit(
        score, data, gaussian, key=key, levels=levels, objective="dsm", steps=1000, batch_size=128, ema=0.99,
        learning_rate=5e-3, progress=False, **options,
    )  # fmt: skip
    errors = []
    for level in (0.15, 3.0):
        y = data[:1000] + level * rng.normal(size=(1000, 1)).astype(np.float32)
        there = jax.vmap(lambda y, level=level: true_score(y, level))(y)
        errors.append(float(jnp.sqrt(jnp.mean((fit.score(y, level) - there) ** 2) / jnp.mean(there**2))))
    print(f"{options}: error {errors[0]:.2f} at the least noise, {errors[1]:.2f} at the most")

figure, axes = plt.subplots(2, 4, figsize=(11, 5), sharex=True, layout="constrained")
for axis, (name, values) in zip(axes.flat, learned.items(), strict=False):
    axis.plot(places, exact, color="0.7", linewidth=4, label="true score")
    axis.plot(places, values, label="learned")
    axis.set_title(name)
axes.flat[0].legend()
axes.flat[-1].hist(data[:, 0], bins=60, density=True, color="0.7")
axes.flat[-1].set_title("data")
figure.savefig("train.png", dpi=120)
