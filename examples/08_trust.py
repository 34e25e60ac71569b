"""Lesson 8: when four chains agree and are wrong, and what says so.

The prior is learned: two clusters, 0.8 and 0.2 of the data, far apart. One number is seen, through so much noise that
both clusters stay possible. NUTS at the lowest level starts each chain somewhere and leaves it there; the tempered
sampler moves the noise level too, so that chains cross between clusters.
"""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import sympy as sp
import sympy.stats as st

import symdsm as sd

x, sigma = sp.Symbol("x", real=True), sp.Symbol("sigma", positive=True)
gaussian = sd.Kernel.from_random(st.Normal("y", x, sigma), clean=x, level=sigma)

rng = np.random.default_rng(0)
data = np.where(rng.uniform(size=(4000, 1)) < 0.8, -4.0, 4.0) + 0.3 * rng.normal(size=(4000, 1))
train, held_out = data[:3500], data[3500:]
net = sd.Energy((1,), key=jax.random.key(0))
fit = sd.fit(net, train, gaussian, key=jax.random.key(1), levels=sd.geometric(0.1, 10.0), steps=3000, progress=False)


def program(y):
    z = numpyro.sample("z", sd.LearnedPrior(fit))
    numpyro.sample("y", dist.Normal(z, 5.0).to_event(1), obs=y)


y = jnp.array([0.5])
weight = np.array([0.8, 0.2]) * np.exp(-((0.5 - np.array([-4.0, 4.0])) ** 2) / (2 * (25 + 0.09 + 0.01)))
print(f"exact probability of the left cluster: {weight[0] / weight.sum():.2f}")

for method in ("nuts", "tempered"):
    posterior = sd.sample(program, y, key=jax.random.key(2), draws=1500, method=method, progress=False)
    left = (posterior["posterior"]["z"] < 0).mean(("draw", "z_dim_0")).to_numpy()
    print(f"\n{method}: probability of the left cluster, chain by chain: {left.round(2)}")
    diagnosis = sd.diagnose(posterior, program=program, fit=fit, held_out=held_out)
    print(diagnosis)
    diagnosis.to_html(f"{method}.html")
