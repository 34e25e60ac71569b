"""Lesson 8: chains that never see the other cluster, chains that do, and what the diagnosis says of each.

The prior is learned: two clusters far apart, 0.7 and 0.3 of the data. One number is seen through so much noise that
both clusters stay possible, and their exact probabilities are known. NUTS stays at the lowest noise level, where
nothing lies between the clusters: each chain keeps the one in which it settled, so that the share of either is the
luck of four throws. Where the chains differ R-hat sees it; where all four settle in one R-hat is content, and what is
left is that chains at one level cannot show modes that they never saw. The tempered sampler moves the level too, and
crosses where noise has made the clusters one.
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
data = np.where(rng.uniform(size=(4000, 1)) < 0.7, -3.0, 3.0) + 0.3 * rng.normal(size=(4000, 1))
train, held_out = data[:3500], data[3500:]
net = sd.Energy((1,), key=jax.random.key(0))
fit = sd.fit(net, train, gaussian, key=jax.random.key(1), levels=sd.geometric(0.3, 10.0), steps=2000, progress=False)


def program(y):
    z = numpyro.sample("z", sd.LearnedPrior(fit))
    numpyro.sample("y", dist.Normal(z, 3.0).to_event(1), obs=y)


y = jnp.array([0.5])
likelihood = np.exp(-((0.5 - np.array([-3.0, 3.0])) ** 2) / (2 * (3.0**2 + 0.3**2 + 0.3**2)))
exact = np.array([0.7, 0.3]) * likelihood
print(f"Exact probability of the left cluster: {exact[0] / exact.sum():.2f}")

for method in ("nuts", "tempered"):
    posterior = sd.sample(program, y, key=jax.random.key(3), draws=4000, method=method, progress=False)
    left = (posterior["posterior"]["z"] < 0).mean(("draw", "z_dim_0")).to_numpy()
    diagnosis = sd.diagnose(posterior, program=program, fit=fit, held_out=held_out)
    r_hat = diagnosis.table.set_index("check")["value"]["R-hat"]
    print(f"\n{method}: R-hat {r_hat:.2f}; probability of the left cluster {left.mean():.2f}, by chain {left.round(2)}")
    print(diagnosis)
    diagnosis.to_html(f"{method}.html")  # one page with tables and pictures, to look at or to pass on
