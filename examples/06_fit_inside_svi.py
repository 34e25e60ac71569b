"""Lesson 6: a prior that is learned while the program is.

A variational autoencoder puts a standard normal on its latents, whatever they turn out to be. Here a score matching
site stands in the program: the ELBO trains encoder and decoder, and the site learns the density of the latents that the
encoder makes. No gradient goes from the site to the encoder. Afterwards the learned density replaces the normal.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
import optax
from numpyro.contrib.module import eqx_module
from numpyro.infer import SVI, Trace_ELBO

import symdsm as sd

# 1. Data: two clusters of points in the plane, one three times as heavy.
key = jax.random.key(0)
side = jnp.where(jax.random.bernoulli(key, 0.75, (4000, 1)), 1.0, -1.0)
data = side * jnp.array([2.0, 1.0]) + 0.3 * jax.random.normal(jax.random.key(1), (4000, 2))

# 2. The program. `prior` is the site; everything else is an autoencoder as NumPyro writes it.
gaussian = sd.families.gaussian()
levels = sd.geometric(0.1, 4.0)
energy = sd.Energy((1,), key=jax.random.key(2), width=32)
encoder = eqx.nn.MLP(2, 2, 32, 1, key=jax.random.key(3))
decoder = eqx.nn.MLP(1, 2, 32, 1, key=jax.random.key(4))


def model(points):
    decode = eqx_module("decoder", decoder)
    with numpyro.plate("rows", len(points), subsample_size=256):
        rows = numpyro.subsample(points, event_dim=1)
        z = numpyro.sample("z", dist.Normal(0.0, 1.0).expand([1]).to_event(1))
        numpyro.sample("x", dist.Normal(jax.vmap(decode)(z), 0.3).to_event(1), obs=rows)
        sd.score_matching_site("prior", energy, gaussian, z, levels=levels, objective="dual")


def guide(points):
    encode = eqx_module("encoder", encoder)
    with numpyro.plate("rows", len(points), subsample_size=256):
        loc, log_scale = jnp.split(jax.vmap(encode)(numpyro.subsample(points, event_dim=1)), 2, axis=-1)
        numpyro.sample("z", dist.Normal(loc, jnp.exp(log_scale)).to_event(1))


svi = SVI(model, guide, numpyro.optim.optax_to_numpyro(optax.adam(3e-3)), Trace_ELBO())
result = svi.run(jax.random.key(5), 2000, data, progress_bar=False)

# 3. From the parameters to a fit, and to a prior for the next program.
encode = eqx.combine(result.params["encoder$params"], eqx.filter(encoder, eqx.is_inexact_array, inverse=True))
decode = eqx.combine(result.params["decoder$params"], eqx.filter(decoder, eqx.is_inexact_array, inverse=True))
loc, log_scale = jnp.split(jax.vmap(encode)(data), 2, axis=-1)
latents = loc + jnp.exp(log_scale) * jax.random.normal(jax.random.key(6), loc.shape)
fit = sd.fit_from_site(
    result.params, "prior", energy, gaussian, latents, key=jax.random.key(7), levels=levels, objective="dual"
)


def share_of_the_heavy_side(z):
    return float(jnp.mean(jax.vmap(decode)(z)[:, 0] > 0))


normal = jax.random.normal(jax.random.key(8), (2000, 1))
learned = sd.LearnedPrior(fit).sample(jax.random.key(9), (2000,))
print("points decoded from the heavy side, truth 0.75")
print(f"   latents from the standard normal: {share_of_the_heavy_side(normal):.2f}")
print(f"   latents from the learned prior:   {share_of_the_heavy_side(learned):.2f}")


def far(z):
    """Share of decoded points further than 1 from both centres."""
    centres = jnp.array([[2.0, 1.0], [-2.0, -1.0]])
    gap = jnp.linalg.norm(jax.vmap(decode)(z)[:, None] - centres, axis=-1)
    return float(jnp.mean(jnp.min(gap, axis=1) > 1.0))


print("points that decode to where no data are")
print(f"   latents from the standard normal: {far(normal):.2f}")
print(f"   latents from the learned prior:   {far(learned):.2f}")
