"""What training leaves: a density, a score, a denoiser of the noisy data, in data coordinates.

For y ~ p(y | x; level) with x from the data, a `Fit` holds the score, and for energies the density, of the
noisy data q(y; level) at every level of a range. Energies trained by the dual objective are anchored
(`symdsm.learning.normalise`), so `log_prob` is minus the energy and one constant serves all levels.

    fit.energy(y, level)    -log q up to one constant for all levels      energies only
    fit.score(y, level)     grad log q                                    every network
    fit.log_prob(y, level)  log q                                         energies with objective="dual"
    fit.denoise(y, level)   the clean event from the score                kernels with a denoiser

A fit of pairs (x, c) takes `context=c` in each and speaks of q(y | c; level); a fit with `support=` or
`standardise=True` was trained in z = T(y) and speaks of y, log |dT/dy| included (`symdsm.learning.coordinates`);
its levels are those of z, and `denoise` returns the y whose coordinates are the estimate of z.

`denoise` is Tweedie's formula, generalised: the kernel's score identifies E[T(x) | y] for one statistic T, and the
clean event is where T has that value. It is E[x | y] where T is x (Gaussian noise), the harmonic mean for speckle
(T = 1/x), the geometric one for log-normal noise; `kernel.identified` names T.

y has the shape (*batch, *event_shape); level is a scalar or broadcasts against the batch, a context is one of
`context_shape` or broadcasts with its own batch axes.
"""

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from symdsm.errors import DerivationError, EnergyRequired, FitError, ParameterError, ShapeError
from symdsm.learning import storage
from symdsm.learning.conditional import log_normaliser
from symdsm.learning.coordinates import Coordinates, Real
from symdsm.learning.history import History, figure
from symdsm.learning.levels import Levels
from symdsm.learning.potentials import DenoiserPotential, EnergyPotential, Potential, given, posterior_mean
from symdsm.learning.protocols import DenoisingProgram, KernelLike
from symdsm.learning.steps import BINS

__all__ = ["Fit"]


class Fit(eqx.Module):
    """A trained network with its kernel, in data coordinates; a PyTree that can pass through `jax.jit`.

    `potential` is the network with its scales, in the coordinates `coordinates`; `examples` are up to 1000 clean rows
    of the data, `contexts` those that belong to them; `history` the losses. `interrupted` tells that training was
    stopped before its last step, `unchecked` that the kernel's check was overruled, `affine` that E[x | y] follows
    from the score.
    """

    potential: Potential
    examples: Array
    kernel: KernelLike = eqx.field(static=True)
    objective: str = eqx.field(static=True)
    history: History = eqx.field(static=True)
    interrupted: bool = eqx.field(static=True)
    unchecked: bool = eqx.field(static=True)
    affine: bool = eqx.field(static=True)
    coordinates: Coordinates = eqx.field(default_factory=Real)
    contexts: Array | None = None

    @property
    def model(self) -> eqx.Module:
        """The trained network."""
        return self.potential.net

    @property
    def levels(self) -> Levels | None:
        """The range of levels it was trained on; None for a kernel without a level."""
        return self.potential.noise.levels

    @property
    def params(self) -> dict[str, Any]:
        """The kernel's parameters besides the level."""
        return self.potential.noise.params

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one noisy event."""
        return self.coordinates.outer(tuple(self.potential.net.event_shape))

    @property
    def context_shape(self) -> tuple[int, ...] | None:
        """Shape of one context; None for a fit without."""
        return None if self.contexts is None else self.contexts.shape[1:]

    @property
    def support(self) -> Any:
        """Where events live: None for the whole space, a pair (low, high), "simplex" or "sphere"."""
        manifold = getattr(self.potential.noise.program, "manifold", None)
        return manifold if manifold is not None else self.coordinates.support

    @property
    def latent(self) -> "Fit":
        """The fit in the coordinates z in which it was trained, on the whole space."""
        clean = jax.vmap(self.coordinates.forward)(self.examples)
        return dataclasses.replace(self, examples=clean, coordinates=Real())

    @property
    def is_energy(self) -> bool:
        """Whether there is an energy, so that Metropolis samplers may use the fit."""
        return isinstance(self.potential, EnergyPotential)

    @property
    def normalised(self) -> bool:
        """Whether `log_prob` exists."""
        return self.is_energy and self.objective == "dual"

    def energy(self, x: ArrayLike, level: ArrayLike | None = None, context: ArrayLike | None = None) -> Array:
        """-log q up to one constant for all levels; shape of the batch. `EnergyRequired` for scores."""
        if not self.is_energy:
            raise EnergyRequired(
                given=f"a fit of a {type(self.model).__name__}",
                expected="a fit of an energy",
                fix="train sd.Energy(event_shape, key=key)",
            )
        return self._batched(_energy, x, level, context)

    def score(self, x: ArrayLike, level: ArrayLike | None = None, context: ArrayLike | None = None) -> Array:
        """grad log q(x; level), of x's shape. `DerivationError` for a reconstruction from which none follows."""
        if isinstance(self.potential, DenoiserPotential) and not self.affine:
            raise DerivationError(
                given="a reconstruction that is no posterior mean, or of a kernel whose score is not affine in x",
                expected="a network that has a score: sd.Energy or sd.Score, or a denoiser for Gaussian-type noise",
                fix="use fit.denoise, or train a score",
            )
        return self._batched(_score, x, level, context)

    def log_prob(self, x: ArrayLike, level: ArrayLike | None = None, context: ArrayLike | None = None) -> Array:
        """log q, normalised; shape of the batch. `EnergyRequired` or `FitError` where there is none.

        With a context its constant is found anew at each call (`symdsm.learning.conditional`).
        """
        energy = self.energy(x, level, context)
        if not self.normalised:
            raise FitError(
                given=f'an energy trained with objective="{self.objective}": one free constant per level',
                expected="a dual fit",
                fix='train with objective="dual", or use fit.energy at one fixed level',
            )
        if context is None:
            return -energy
        contexts = jnp.asarray(context, energy.dtype)
        batch = contexts.shape[: contexts.ndim - len(self.context_shape)]
        constants = _normalisers(self.potential, self.latent.examples, contexts.reshape(-1, *self.context_shape))
        return -energy - constants.reshape(batch)

    def denoise(self, x: ArrayLike, level: ArrayLike | None = None, context: ArrayLike | None = None) -> Array:
        """The clean event for a noisy x; E[clean | x] for Gaussian noise and wherever `kernel.identified` is clean.

        A denoiser gives its reconstruction.

        `DerivationError`, which names what the score does identify, for a kernel without a denoiser.
        """
        if isinstance(self.potential, DenoiserPotential):
            return self._batched(_estimate, x, level, context)
        if isinstance(self.potential.noise.program, DenoisingProgram):
            return self._batched(_by_formula, x, level, context)
        if not self.affine:
            raise DerivationError(
                given="a program without denoise, of a kernel whose score is not affine in the clean variable",
                expected="a kernel whose score gives a posterior mean",
                fix="draw from the posterior with sd.sample instead",
            )
        return self._batched(_solved, x, level, context)

    def _batched(self, function: Callable, x: ArrayLike, level: ArrayLike | None, context: ArrayLike | None) -> Array:
        dtype = self.potential.scaling.centre.dtype
        x, ndim = jnp.asarray(x), len(self.event_shape)
        batch, event = x.shape[: x.ndim - ndim], x.shape[x.ndim - ndim :]
        if event != self.event_shape or x.ndim < ndim:
            raise ShapeError(
                given=f"an array of shape {x.shape}",
                expected=f"(*batch, {', '.join(map(str, self.event_shape))})",
                fix="put batch axes in front and keep the event's axes last",
            )
        if (level is None) != (self.levels is None):
            raise ParameterError(
                given="no level" if level is None else "a level",
                expected="no level: this kernel has none" if level is not None else f"a level within {self.levels}",
                fix="leave the level out" if level is not None else "pass fit.levels.least for the least noise",
            )
        c, given_batch = self._context(context, dtype)
        u = jnp.zeros(()) if level is None else self.levels.coordinate(jnp.asarray(level, dtype))
        x, u = x.astype(dtype), u.astype(dtype)
        if not batch and not given_batch and u.ndim == 0:
            return _one(function, self.potential, self.coordinates, x, u, c)
        shape = jnp.broadcast_shapes(batch, u.shape, given_batch)
        flat = jnp.broadcast_to(x, shape + event).reshape((-1,) + event)
        u = jnp.broadcast_to(u, shape).reshape(-1)
        if given_batch:
            c = jnp.broadcast_to(c, shape + self.context_shape).reshape((-1,) + self.context_shape)
        out = _many(function, self.potential, self.coordinates, flat, u, c, bool(given_batch))
        return out.reshape(shape + out.shape[1:])

    def _context(self, context, dtype) -> tuple[Array | None, tuple[int, ...]]:
        """(context, its batch axes); `ParameterError` or `ShapeError`."""
        if (context is None) != (self.contexts is None):
            raise ParameterError(
                given="no context" if context is None else "a context",
                expected=f"one of shape {self.context_shape}, as in training"
                if context is None
                else "none: this fit was trained without",
                fix="pass context=..." if context is None else "leave the context out",
            )
        if context is None:
            return None, ()
        c, shape = jnp.asarray(context, dtype), self.context_shape
        if c.ndim < len(shape) or c.shape[c.ndim - len(shape) :] != shape:
            raise ShapeError(
                given=f"a context of shape {c.shape}",
                expected=f"(*batch, {', '.join(map(str, shape))})",
                fix="pass contexts as in training",
            )
        return c, c.shape[: c.ndim - len(shape)]

    def plot(self):
        """A Matplotlib figure: the losses of training, and by level at its end."""
        middles = (np.arange(BINS) + 0.5) / BINS
        levels = None if self.levels is None else np.asarray(self.levels.at(middles))
        return figure(self.history, levels, self.potential.noise.level_name)

    def save(self, path: str | os.PathLike) -> None:
        """Write JSON and arrays to the folder `path`, for `sd.load`. `FitError` if the disk refuses."""
        facts = {
            "objective": self.objective,
            "interrupted": self.interrupted,
            "unchecked": self.unchecked,
            "affine": self.affine,
        }
        examples = self.examples, self.contexts
        storage.save(path, self.potential, examples, self.history, self.kernel, self.coordinates, facts)


def _energy(potential, coordinates, y, u):
    return potential.energy(coordinates.forward(y), u) - coordinates.log_slope(y)


def _score(potential, coordinates, y, u):
    z, pull = jax.vjp(coordinates.forward, y)
    (along,) = pull(potential.score(z, u))
    return coordinates.tangent(along + jax.grad(coordinates.log_slope)(y))


def _estimate(potential, coordinates, y, u):
    return coordinates.inverse(potential.denoise(coordinates.forward(y), u))


def _by_formula(potential, coordinates, y, u):
    z = coordinates.forward(y)
    return coordinates.inverse(potential.noise.program.denoise(z, potential.score(z, u), **potential.noise.at(u)))


def _solved(potential, coordinates, y, u):
    z = coordinates.forward(y)
    mean = posterior_mean(potential.noise, potential.score(z, u), z, potential.scaling.centre, u)
    return coordinates.inverse(mean)


@eqx.filter_jit
def _one(function, potential, coordinates, y, u, c):
    return function(given(potential, c), coordinates, y, u)


@eqx.filter_jit
def _many(function, potential, coordinates, y, u, c, each):
    def one(y, u, c):
        return function(given(potential, c), coordinates, y, u)

    return jax.vmap(one, (0, 0, 0 if each else None))(y, u, c)


_normalisers = eqx.filter_jit(log_normaliser)
