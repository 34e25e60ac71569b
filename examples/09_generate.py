"""Lesson 9: from noise back to data, and three checks of what was learned.

A mixture of three blobs is learned at all noise levels from 0.05 to 10, and drawn from by each method that normal noise
supports. The drift and the diffusion behind them are derived from the kernel's declaration. Since the data's law is
known here, everything can be held against it.
"""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp
import sympy.stats as st
from jax.scipy.special import logsumexp

import symdsm as sd
from symdsm.errors import DerivationError, SamplingError
from symdsm.inference.generate import methods_of

warnings.simplefilter("ignore")
x, sigma = sp.Symbol("x", real=True), sp.Symbol("sigma", positive=True)
kernel = sd.Kernel.from_random(st.Normal("y", x, sigma), clean=x, level=sigma)

print("1. The diffusion of a kernel is derived, not written down:")
for name, declared in {"y = x + sigma e": kernel, "y = x exp(sigma e)": sd.families.log_normal()}.items():
    found = declared.process
    print(f"   {name:20} drift {found.drift},  diffusion {sp.simplify(found.diffusion)}")

MEANS, WEIGHTS, SPREAD = jnp.array([[-2.0, 0.0], [2.0, 1.0], [1.0, -2.0]]), np.array([0.5, 0.3, 0.2]), 0.4


def draw(key, n):
    pick, noise = jax.random.split(key)
    return MEANS[jax.random.choice(pick, 3, (n,), p=jnp.asarray(WEIGHTS))] + SPREAD * jax.random.normal(noise, (n, 2))


def log_density(y, level=0.0):
    variance = SPREAD**2 + level**2
    squares = jnp.sum((y[:, None] - MEANS) ** 2, axis=-1)
    return logsumexp(jnp.log(WEIGHTS) - squares / (2 * variance), axis=1) - jnp.log(2 * jnp.pi * variance)


def weights(y):
    nearest = jnp.argmin(jnp.sum((y[:, None] - MEANS) ** 2, axis=-1), axis=1)
    return np.bincount(nearest, minlength=3) / len(y)


net = sd.Energy((2,), key=jax.random.key(0), width=64)
fit = sd.fit(
    net, draw(jax.random.key(1), 4000), kernel,
    key=jax.random.key(2), levels=sd.geometric(0.05, 10.0), steps=2500, progress=False,
)  # fmt: skip

print(f"\n2. Draws by each method; the weights of the blobs are {WEIGHTS}:")
for method in methods_of(fit):
    y = sd.generate(fit, jax.random.key(3), 2000, method)
    print(f"   {method:20} {weights(y).round(2)}   off by {np.abs(weights(y) - WEIGHTS).max():.2f}")

print("\n   Laplace noise has no such diffusion, and its score does not tell one:")
try:
    _ = sd.families.laplace().process
except DerivationError as error:
    print(f"   {type(error).__name__}: {error}".replace("\n", "\n   "))
try:
    sd.generate(fit, jax.random.key(0), 10, "walk-back")
except SamplingError as error:
    print(f"   {error}".replace("\n", "\n   "))

print("\n3. Two densities from one fit: the energy's own, and that of the flow of its score (nats):")
held_out = draw(jax.random.key(4), 200)
flow, own = sd.flow_log_prob(fit, held_out), fit.log_prob(held_out, 0.05)
exact = log_density(held_out, 0.05)
print(f"   energy {float(own.mean()):.2f}, flow {float(flow.mean()):.2f}, exact {float(exact.mean()):.2f}")
off = max(abs(float(own.mean() - exact.mean())), abs(float(flow.mean() - exact.mean())))
print(f"   both within 0.25 nats of the exact one: {off < 0.25}")
estimate, error = sd.flow_log_prob_estimate(fit, held_out, jax.random.key(5), probes=8)
print(f"   by 8 probes for each trace: {float(estimate.mean()):.2f}, standard error of one {float(error.mean()):.2f}")

print("\n4. The score's error by level, and the law's by the bound that follows:")


class Exact:
    """The score of the noised mixture."""

    def score(self, y, level):
        return jax.grad(lambda y: log_density(y, level).sum())(y)


found = sd.score_error(fit, Exact(), jax.random.key(6), levels=6)
for level, share in zip(found.level, found.share, strict=True):
    print(f"   sigma {float(level):6.2f}   share of the score missed {float(share):.3f}")
print(f"   KL of the reverse diffusion's law at most {found.kl_bound:.2f} nats")

print("\n5. D(q_sigma || p) on held-out data, by the learned energy and by the exact density:")
clean = draw(jax.random.key(7), 4000)
gaps = []
for level in (1.6, 0.8, 0.4, 0.2, 0.1, 0.05):
    y = clean + level * jax.random.normal(jax.random.key(8), clean.shape)
    learned, true = (float(jnp.mean(log - log_density(y))) for log in (fit.log_prob(y, level), log_density(y, level)))
    gaps.append(learned)
    print(f"   sigma {level:5.2f}   {learned:6.2f}   {true:6.2f}")
print(f"   it falls with sigma, down to the error of the energy's constant: {bool(np.all(np.diff(gaps) < 0.02))}")
