"""Lesson 5: a density learned from data is a distribution like any other.

An energy is trained on points of the plane. In a NumPyro program it is a prior, a likelihood, a member of a plate; its
noise level may be an unknown of the program; and a density given a context takes that context from other sites. The
data have a known law, so that every answer can be compared with the exact one. Training takes seconds here, and the
weight of a cluster is what it learns last: about 0.78 of the mass is on the left after 1500 steps, the data have 0.70.
"""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS, Predictive, log_likelihood

import symdsm as sd

# 1. Learn it. Two clusters, at -1 with weight 0.7 and at 1, of spread 0.3.
rng = np.random.default_rng(0)
centre = np.where(rng.uniform(size=(4000, 1)) < 0.7, -1.0, 1.0)
data = centre * [1.0, 0.5] + 0.3 * rng.normal(size=(4000, 2))
gaussian = sd.families.gaussian()
training = {"batch_size": 128, "learning_rate": 5e-3, "ema": 0.99, "weight_decay": 0.0, "progress": False}
net = sd.Energy((2,), key=jax.random.key(0), width=32)
fit = sd.fit(net, data, gaussian, key=jax.random.key(1), levels=sd.geometric(0.1, 8.0), steps=1500, **training)


# 2. A prior. Of a hidden point we see the sum of its coordinates, through noise of our own declaration: Laplace.
laplace = sd.families.laplace()


def hidden_point(total):
    point = numpyro.sample("point", sd.LearnedPrior(fit))
    numpyro.sample("total", laplace.distribution(point.sum(), sigma=2.0), obs=total)


posterior = sd.sample(hidden_point, jnp.array(0.5), key=jax.random.key(2), chains=2, draws=500, progress=False)
right = float((posterior["posterior"]["point"][..., 0] > 0).mean())
sums = np.array([-1.5, 1.5])[:, None] + np.sqrt(2 * (0.3**2 + 0.1**2)) * rng.normal(size=(2, 100_000))
evidence = np.array([0.7, 0.3]) * np.exp(-np.abs(0.5 - sums) / 2).mean(1)
print(f"right cluster, given a total of 0.5: {right:.2f} (exact {evidence[1] / evidence.sum():.2f})\n")

# 3. Before any data: NumPyro's own Predictive draws points and what would be seen of them.
drawn = Predictive(hidden_point, num_samples=1000)(jax.random.key(3), None)
print(f"prior predictive: {(drawn['point'][:, 0] < 0).mean():.2f} on the left, "
      f"totals from {drawn['total'].min():.0f} to {drawn['total'].max():.0f}\n")  # fmt: skip


# 4. A likelihood: which of these points is no member of the family? Outside a plate a point is one event.
def members(points):
    with numpyro.plate("points", len(points)):
        numpyro.sample("member", sd.LearnedPrior(fit), obs=points)


points = jnp.array([[-1.0, -0.5], [1.2, 0.6], [1.0, -1.5]])
print(
    "log density of three points:", log_likelihood(members, {"none": jnp.zeros(1)}, points)["member"][0].round(1), "\n"
)


# 5. An unknown noise level. New points are known to be blurred, but not by how much: the level of the learned prior is
# a site of the program, because one normaliser serves all levels.
def blurred(points):
    sigma = numpyro.sample("sigma", dist.HalfNormal(2.0))
    with numpyro.plate("points", len(points)):
        numpyro.sample("seen", sd.LearnedPrior(fit, sigma), obs=points)


seen = jnp.asarray(data[:100] + 0.8 * rng.normal(size=(100, 2)))
mcmc = MCMC(NUTS(blurred), num_warmup=150, num_samples=300, progress_bar=False)
mcmc.run(jax.random.key(4), seen)
sigma = mcmc.get_samples()["sigma"]
print(f"the noise in them: {sigma.mean():.2f} +- {sigma.std():.2f} (truth 0.80)\n")

# 6. A density given a context. Here x | c is N(c^2, 0.5^2); three hidden x of known context are seen through noise 0.5.
c = rng.uniform(-2, 2, size=(4000, 1))
net = sd.Energy((1,), key=jax.random.key(5), width=32, context_shape=(1,))
x = c**2 + 0.5 * rng.normal(size=c.shape)
given = sd.fit(
    net, x, gaussian, key=jax.random.key(6), levels=sd.geometric(0.1, 8.0), steps=1500, context=c, **training
)
contexts, y = jnp.array([[-1.5], [0.0], [1.0]]), jnp.array([[2.0], [1.0], [1.0]])


def in_context(y):
    with numpyro.plate("rows", len(y)):
        x = numpyro.sample("x", sd.LearnedPrior(given, context=contexts))
        numpyro.sample("y", dist.Normal(x, 0.5).to_event(1), obs=y)


mcmc = MCMC(sd.MALA(in_context), num_warmup=300, num_samples=1000, progress_bar=False)
mcmc.run(jax.random.key(7), y)
prior_precision, precision = 1 / (0.5**2 + 0.1**2), 1 / 0.5**2
exact = (contexts**2 * prior_precision + y * precision) / (prior_precision + precision)
print("three hidden values, each in its context:", mcmc.get_samples()["x"].mean(0)[:, 0].round(2))
print("exact                                    ", exact[:, 0].round(2))
