"""Lesson 7: a score without an energy, and what may be done with it.

A score network gives s(x), an estimate of grad log p(x). Nothing makes it a gradient of anything. Metropolis-Hastings
compares densities, so it needs more; Langevin dynamics without the accept step does not.
"""

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS

import symdsm as sd
from symdsm.errors import EnergyRequired

# A score as a network may give it: that of a normal with variances 1 and 4, and a rotation on top.
ROTATION = 0.3


def score(z):
    right = -z / jnp.array([1.0, 4.0])
    curl = ROTATION * jnp.array([-z[1], z[0]]) / jnp.array([2.0, 2.0])
    return right + curl


def draws(kernel, **options):
    mcmc = MCMC(kernel, num_warmup=500, num_samples=4000, progress_bar=False, **options)
    mcmc.run(jax.random.key(0), init_params=jnp.zeros(2))
    return mcmc.get_samples()


print("1. Metropolis-Hastings refuses it, when the kernel is made:")
try:
    sd.MALA(potential_fn=sd.VectorScore(score))
except EnergyRequired as error:
    print(error)

print("\n2. Unadjusted kernels take it. They follow the score as it is, rotation included:")
kernel = sd.UnderdampedLangevin(potential_fn=sd.VectorScore(score), step_size=0.3)
print("   variances", draws(kernel).var(axis=0).round(2))

print("\n3. The line integral from an anchor is a potential, and NUTS is exact on it:")
potential = sd.potential_from_score(score, anchor=jnp.zeros(2))
print(f"   curl {float(potential.curl(jnp.array([1.0, -1.0]), jax.random.key(1))):.2f}: 0 is a gradient, 1 a rotation")
print(
    "   variances", draws(NUTS(potential_fn=potential)).var(axis=0).round(2), "(the rotation has no part in it: 1, 4)"
)

print("\n4. Inside a program it is a factor:")


def program(y):
    z = numpyro.sample("z", dist.ImproperUniform(dist.constraints.real_vector, (), (2,)))
    numpyro.factor("prior", -potential(z))
    numpyro.sample("y", dist.Normal(z[0], 1.0), obs=y)


mcmc = MCMC(NUTS(program), num_warmup=500, num_samples=4000, progress_bar=False)
mcmc.run(jax.random.key(2), jnp.array(2.0))
z = mcmc.get_samples()["z"]
print(f"   z[0] given y = 2: mean {z[:, 0].mean():.2f}, variance {z[:, 0].var():.2f} (exact: 1, 0.5)")
