"""More stand-ins for trained fits, made of an exact one: in other coordinates, or given a context."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .conftest import MixtureFit


class InCoordinates(eqx.Module):
    """x = T^{-1}(z) with z from `inner`, one event at a time as a real `Fit` has it."""

    latent: MixtureFit
    coordinates: Any
    is_energy: bool = eqx.field(static=True, default=True)
    normalised: bool = eqx.field(static=True, default=True)

    @property
    def levels(self):
        return self.latent.levels

    @property
    def kernel(self):
        return self.latent.kernel

    @property
    def params(self):
        return {}

    @property
    def event_shape(self):
        return self.coordinates.outer(self.latent.event_shape)

    @property
    def support(self):
        return self.coordinates.support

    @property
    def examples(self):
        return jax.vmap(self.coordinates.inverse)(self.latent.examples)

    def log_prob(self, x, level):
        def one(x, level):
            return self.latent.log_prob(self.coordinates.forward(x), level) + self.coordinates.log_slope(x)

        batch = jnp.shape(x)[: jnp.ndim(x) - len(self.event_shape)]
        flat = jnp.reshape(x, (-1, *self.event_shape))
        return jax.vmap(one)(flat, jnp.broadcast_to(level, batch).reshape(-1)).reshape(batch)


class GivenContext(MixtureFit):
    """x = c + z with z from the mixture: a conditional fit whose energy lacks a normaliser that depends on c."""

    context_shape: tuple = eqx.field(static=True, default=())

    def log_prob(self, x, level, context):
        return MixtureFit.log_prob(self, x - context, level)

    def energy(self, x, level, context):
        return -self.log_prob(x, level, context) + jnp.sum(jnp.sin(context), -1)

    def score(self, x, level, context):
        return MixtureFit.score(self, x - context, level)
