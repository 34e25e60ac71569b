"""What training leaves: a density, a score, a denoiser of the noisy data, in data coordinates.

For y ~ p(y | x; level) with x from the data, a `Fit` holds the score, and for energies the density, of the
noisy data q(y; level) at every level of a range. Energies trained by the dual objective are anchored
(`symdsm.learning.normalise`), so `log_prob` is minus the energy and one constant serves all levels.

    fit.energy(y, level)    -log q up to one constant for all levels      energies only
    fit.score(y, level)     grad log q                                    every network
    fit.log_prob(y, level)  log q                                         energies with objective="dual"
    fit.denoise(y, level)   the clean event from the score                kernels with a denoiser

`denoise` is Tweedie's formula, generalised: the kernel's score identifies E[T(x) | y] for one statistic T, and the
clean event is where T has that value. It is E[x | y] where T is x (Gaussian noise), the harmonic mean for speckle
(T = 1/x), the geometric one for log-normal noise; `kernel.identified` names T.

y has the shape (*batch, *event_shape); level is a scalar or broadcasts against the batch.
"""

import os
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from symdsm.errors import DerivationError, EnergyRequired, FitError, ParameterError, ShapeError
from symdsm.learning import storage
from symdsm.learning.levels import Levels
from symdsm.learning.potentials import DenoiserPotential, EnergyPotential, Potential, posterior_mean
from symdsm.learning.protocols import DenoisingProgram, KernelLike
from symdsm.learning.training import History

__all__ = ["Fit"]


class Fit(eqx.Module):
    """A trained network with its kernel, in data coordinates; a PyTree that can pass through `jax.jit`.

    `potential` is the network with its scales, `examples` are up to 1000 clean rows of the data, `history`
    the losses. `interrupted` tells that training was stopped before its last step, `unchecked` that the
    kernel's check was overruled, `affine` that E[x | y] follows from the score.
    """

    potential: Potential
    examples: Array
    kernel: KernelLike = eqx.field(static=True)
    objective: str = eqx.field(static=True)
    history: History = eqx.field(static=True)
    interrupted: bool = eqx.field(static=True)
    unchecked: bool = eqx.field(static=True)
    affine: bool = eqx.field(static=True)

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
        return tuple(self.potential.net.event_shape)

    @property
    def is_energy(self) -> bool:
        """Whether there is an energy, so that Metropolis samplers may use the fit."""
        return isinstance(self.potential, EnergyPotential)

    @property
    def normalised(self) -> bool:
        """Whether `log_prob` exists."""
        return self.is_energy and self.objective == "dual"

    def energy(self, x: ArrayLike, level: ArrayLike | None = None) -> Array:
        """-log q up to one constant for all levels; shape of the batch. `EnergyRequired` for scores."""
        if not self.is_energy:
            raise EnergyRequired(
                given=f"a fit of a {type(self.model).__name__}",
                expected="a fit of an energy",
                fix="train sd.Energy(event_shape, key=key)",
            )
        return self._batched(_energy, x, level)

    def score(self, x: ArrayLike, level: ArrayLike | None = None) -> Array:
        """grad log q(x; level), of x's shape."""
        return self._batched(_score, x, level)

    def log_prob(self, x: ArrayLike, level: ArrayLike | None = None) -> Array:
        """log q, normalised; shape of the batch. `EnergyRequired` or `FitError` where there is none."""
        energy = self.energy(x, level)
        if not self.normalised:
            raise FitError(
                given=f'an energy trained with objective="{self.objective}": one free constant per level',
                expected="a dual fit",
                fix='train with objective="dual", or use fit.energy at one fixed level',
            )
        return -energy

    def denoise(self, x: ArrayLike, level: ArrayLike | None = None) -> Array:
        """The clean event for a noisy x; E[clean | x] for Gaussian noise and wherever `kernel.identified` is clean.

        `DerivationError`, which names what the score does identify, for a kernel without a denoiser.
        """
        if isinstance(self.potential, DenoiserPotential):
            return self._batched(_estimate, x, level)
        if isinstance(self.potential.noise.program, DenoisingProgram):
            return self._batched(_by_formula, x, level)
        if not self.affine:
            raise DerivationError(
                given="a program without denoise, of a kernel whose score is not affine in the clean variable",
                expected="a kernel whose score gives a posterior mean",
                fix="draw from the posterior with sd.sample instead",
            )
        return self._batched(_solved, x, level)

    def _batched(self, function: Callable, x: ArrayLike, level: ArrayLike | None) -> Array:
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
        u = jnp.zeros(()) if level is None else self.levels.coordinate(jnp.asarray(level, dtype))
        if not batch and u.ndim == 0:
            return _one(function, self.potential, x.astype(dtype), u.astype(dtype))
        shape = jnp.broadcast_shapes(batch, u.shape)
        flat = jnp.broadcast_to(x, shape + event).reshape((-1,) + event).astype(dtype)
        u = jnp.broadcast_to(u, shape).reshape(-1).astype(dtype)
        out = _many(function, self.potential, flat, u)
        return out.reshape(shape + out.shape[1:])

    def save(self, path: str | os.PathLike) -> None:
        """Write JSON and arrays to the folder `path`, for `sd.load`. `FitError` if the disk refuses."""
        facts = {
            "objective": self.objective,
            "interrupted": self.interrupted,
            "unchecked": self.unchecked,
            "affine": self.affine,
        }
        storage.save(path, self.potential, self.examples, self.history, self.kernel, facts)


def _energy(potential, y, u):
    return potential.energy(y, u)


def _score(potential, y, u):
    return potential.score(y, u)


def _estimate(potential, y, u):
    return potential.denoise(y, u)


def _by_formula(potential, y, u):
    return potential.noise.program.denoise(y, potential.score(y, u), **potential.noise.at(u))


def _solved(potential, y, u):
    return posterior_mean(potential.noise, potential.score(y, u), y, potential.scaling.centre, u)


@eqx.filter_jit
def _one(function, potential, y, u):
    return function(potential, y, u)


@eqx.filter_jit
def _many(function, potential, y, u):
    return jax.vmap(function, (None, 0, 0))(potential, y, u)
