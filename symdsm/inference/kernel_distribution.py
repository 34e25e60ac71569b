"""A symbolic kernel as a NumPyro distribution.

`KernelDistribution` is the kernel p(y | x; params) itself, from its compiled program, so that the same declaration
that trained a prior, or another one, is the likelihood of a program.

A circular kernel has one turn as its support, (-P/2, P/2), over which its density integrates to one; that is what a
latent angle needs. Observed angles may be any turn, since the density has the period P.
"""

import math

import jax
import jax.numpy as jnp
from jax import random
from jaxtyping import Array, ArrayLike, PRNGKeyArray
from numpyro.distributions import Distribution

from symdsm.errors import DerivationError, ParameterError, ShapeError
from symdsm.inference.supports import constraint_on, in_turn, one_turn

__all__ = ["KernelDistribution", "kernel_distribution"]


class KernelDistribution(Distribution):
    """p(y | x; params) of a kernel; made by `kernel.distribution(x, **params)`.

    The batch shape is that of x and the parameters broadcast together, less the axes of an event, which the kernel
    knows: none for a scalar kernel. Outside the support `log_prob` is -inf. Draws are not promised to be
    differentiable in x or the parameters.
    """

    arg_constraints = {}
    pytree_data_fields = ("x", "params")
    pytree_aux_fields = ("kernel", "_support")
    has_rsample = False

    def __init__(self, kernel, x: ArrayLike, params: dict, *, validate_args: bool | None = None):
        self.kernel, self.x, self.params = kernel, jnp.asarray(x, float), params
        ndim = kernel.event_ndim
        if ndim == 0:
            batch, event = jnp.broadcast_shapes(self.x.shape, *map(jnp.shape, params.values())), ()
        else:
            x = jax.ShapeDtypeStruct(self.x.shape, self.x.dtype)
            drawn = kernel.compile().event_shape(x, **params)
            batch, event = drawn[: len(drawn) - ndim], drawn[len(drawn) - ndim :]
        self._support = one_turn(kernel.period) if kernel.period else constraint_on(kernel.support, ndim)
        super().__init__(batch, event, validate_args=validate_args)

    @property
    def support(self):
        """The kernel's support, one turn of a circle; the whole line where its ends depend on x or a parameter."""
        return self._support

    def log_prob(self, value: ArrayLike) -> Array:
        """log p(value | x; params), shape (*batch); -inf outside the support."""
        program, shape = self.kernel.compile(), jnp.shape(value)
        try:
            full = jnp.broadcast_shapes(shape, self.batch_shape + self.event_shape)
        except ValueError:
            raise ShapeError(
                given=f"values of shape {shape}",
                expected=f"shape {self.batch_shape + self.event_shape}, that of the kernel at this x",
                fix="pass one value for each entry of x",
            ) from None
        if not self.event_shape:
            return jnp.broadcast_to(program.log_prob(value, self.x, **self.params), full)
        batch = full[: len(full) - len(self.event_shape)]
        return jnp.broadcast_to(program.log_prob(value, self.x, **self.params), batch)

    def sample(self, key: PRNGKeyArray, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draws of shape (*sample_shape, *batch_shape, *event_shape)."""
        program, batch = self.kernel.compile(), (*sample_shape, *self.batch_shape)
        if not self.event_shape:
            y = program.sample(key, jnp.broadcast_to(self.x, batch), **self.params)
            return in_turn(self.kernel, y)
        if program.needs_chains:
            y = program.draws(key, self.x, math.prod(sample_shape), **self.params)
            return jnp.moveaxis(y, len(self.batch_shape), 0).reshape(*batch, *self.event_shape)
        keys = random.split(key, math.prod(sample_shape))
        y = jax.vmap(lambda k: program.sample(k, self.x, **self.params))(keys)
        return y.reshape(*batch, *self.event_shape)


def kernel_distribution(kernel, x: ArrayLike | dict, /, **params) -> KernelDistribution:
    """`kernel` at x as a NumPyro distribution.

    Raises `DerivationError` when the kernel's density is not known to be normalised, or is a product of blocks (each
    block is a distribution of its own), `ParameterError` for missing or unknown parameters.
    """
    if kernel.blocks:
        raise DerivationError(
            given=f"a product of the blocks {', '.join(kernel.blocks)}, whose values are dicts",
            expected="a kernel whose values are arrays, as NumPyro's sites are",
            fix="give each block a site: "
            + ", ".join(f"kernel.blocks[{name!r}].distribution(...)" for name in kernel.blocks),
        )
    names = {p.name for p in kernel.params}
    if names != set(params):
        raise ParameterError(
            given=f"the parameters {', '.join(sorted(params)) or '(none)'}",
            expected=f"the parameters {', '.join(sorted(names)) or '(none)'}",
            fix="write kernel.distribution(x" + "".join(f", {name}=..." for name in sorted(names)) + ")",
        )
    if kernel.normalised is not True:
        raise DerivationError(
            given="a kernel whose normalising factor is not known",
            expected="a normalised density: a missing factor may depend on x or a parameter, and change the posterior",
            fix="declare the kernel with from_random, or with from_density and its full normaliser",
        )
    return KernelDistribution(kernel, x, params)
