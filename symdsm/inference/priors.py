"""Learned densities as NumPyro distributions.

A fit holds an energy U(x; lam), minus the log density of noised data at each trained level lam, up to one constant
for all levels. `LearnedPrior` has the density

    p(x) proportional to exp(-U(x; lam)),        log p = fit.log_prob where the fit is normalised,

at the level it is given, else at the one that `noise_level` sets, else at the lowest trained one. A level may be an
array, which makes a batch of densities, or a latent site of the program: energies trained by the dual objective have
one normaliser for all levels, so that their density in the level is right. Outside the trained range the density
is 0, since the energy means nothing there: a latent level is thereby cut to that range.

Draws are made by annealed Langevin dynamics (Song & Ermon 2019, arXiv:1907.05600): start from noised data at the
largest level and move down the trained levels with the steps

    x <- x - h(lam) dU/dx + sqrt(2 h(lam)) n,        h(lam) = eta / E[|d/dy log p(y | x; lam)|^2 / d],

the expectation being the mean squared denoising target at the level: for Gaussian noise h = eta sigma^2. The
dynamics is not Metropolis-adjusted; its bias is of order eta.
"""

import jax
import jax.numpy as jnp
from jax import lax, random
from jaxtyping import Array, ArrayLike, PRNGKeyArray
from numpyro.distributions import Distribution, constraints
from numpyro.distributions.util import validate_sample

from symdsm.errors import DerivationError, EnergyRequired, ParameterError, ShapeError

__all__ = ["LearnedPrior", "annealed", "noised"]

RUNGS, STEPS, ETA = 40, 20, 0.1
MOMENT_DRAWS = 2000
SLACK = 1e-4  # of the range of the level's coordinate, for rounding


def noised(fit, key: PRNGKeyArray, shape: tuple[int, ...], level: ArrayLike) -> Array:
    """Training examples seen through the fit's kernel at a level; returns (*shape, *event_shape)."""
    pick, noise = random.split(key)
    examples = fit.latent.examples
    clean = examples[random.randint(pick, shape, 0, examples.shape[0])]
    y = fit.kernel.compile().sample(noise, clean, **_parameters(fit, level))
    return _each_event(fit.coordinates.inverse, y, len(shape))


def _each_event(function, values, batch: int):
    for _ in range(batch):
        function = jax.vmap(function)
    return function(values)


def _parameters(fit, level):
    return {**fit.params, fit.kernel.level.name: level}


class LearnedPrior(Distribution):
    """The density that `fit` learned, as a NumPyro distribution over arrays of shape `fit.event_shape`.

    `level` fixes the noise level, its shape is the batch shape; without it the level is set by `noise_level`, or is
    the lowest trained one. `mean` and `variance` are those of 2000 draws at a fixed key, kept with the object.

    Raises `EnergyRequired` when the network of the fit is a score or a denoiser, `DerivationError` for a fit of a
    kernel without a level, `ParameterError` for a level outside the trained range (under `jax.jit` the density is 0
    there), `ShapeError` when a value has another event shape.
    """

    arg_constraints = {}
    pytree_data_fields = ("fit", "level")
    has_rsample = False

    def __init__(self, fit, level: ArrayLike | None = None, *, validate_args: bool | None = None):
        self.admit(fit)
        if fit.levels is None:
            raise DerivationError(
                given="a fit of a kernel without a level",
                expected="a kernel with a noise level: draws move down the levels, from noise to data",
                fix="declare the kernel with level=, and train with levels=sd.geometric(...)",
            )
        if level is not None:
            _check_level(fit.levels, level)
        self.fit, self.level = fit, level
        super().__init__(jnp.shape(level) if level is not None else (), tuple(fit.event_shape))
        if validate_args is not None:
            self._validate_args = validate_args

    @staticmethod
    def admit(fit) -> None:
        """Raise EnergyRequired for a fit without a density."""
        if not fit.is_energy:
            raise EnergyRequired(
                given=f"a fit whose network is a {type(fit.model).__name__}",
                expected="an energy: a score alone is not a density",
                fix="train sd.Energy(event_shape, key=key) instead, or use sd.LearnedScore(fit) under sd.ULA",
            )

    @property
    def support(self):
        """Real arrays of the event shape."""
        return constraints.independent(constraints.real, len(self.event_shape))

    @property
    def current_level(self) -> ArrayLike:
        """The level at which `log_prob` and `sample` work."""
        return self.fit.levels.least if self.level is None else self.level

    def at_level(self, level: ArrayLike) -> "LearnedPrior":
        """The same prior at another noise level."""
        return type(self)(self.fit, level, validate_args=self._validate_args)

    @validate_sample
    def log_prob(self, value: Array) -> Array:
        """-U(value; level), normalised where the fit is; value (*batch, *event_shape) gives (*batch)."""
        self.check_event(value)
        density = self.fit.log_prob if self.fit.normalised else _minus(self.fit.energy)
        if not isinstance(self.level, jax.core.Tracer):
            return density(value, self.current_level)
        levels = self.fit.levels
        clipped = jnp.clip(self.level, *sorted((levels.least, levels.most)))
        return jnp.where(_inside(levels, self.level), density(value, clipped), -jnp.inf)

    def check_event(self, value: Array) -> None:
        """Raise ShapeError unless `value` has the event's shape on its last axes."""
        ndim = len(self.event_shape)
        if jnp.ndim(value) < ndim or jnp.shape(value)[jnp.ndim(value) - ndim :] != self.event_shape:
            raise ShapeError(
                given=f"a value of shape {jnp.shape(value)}",
                expected=f"(*batch, {', '.join(map(str, self.event_shape))}), as the data of the fit",
                fix="reshape the value, or fit a prior to data of this shape",
            )

    def sample(self, key: PRNGKeyArray, sample_shape: tuple[int, ...] = ()) -> Array:
        """Annealed Langevin draws at the current level; returns (*sample_shape, *batch_shape, *event_shape)."""
        shape = (*sample_shape, *self.batch_shape)
        z = annealed(self.fit.latent, key, shape, self.current_level)
        return _each_event(self.fit.coordinates.inverse, z, len(shape))

    @property
    def mean(self) -> Array:
        """The mean of `MOMENT_DRAWS` draws, (*batch_shape, *event_shape)."""
        return self._moments()[0]

    @property
    def variance(self) -> Array:
        """The variance of the same draws."""
        return self._moments()[1]

    def _moments(self) -> tuple[Array, Array]:
        kept = self.__dict__.get("_kept_moments")
        if kept is None:
            draws = self.sample(random.key(0), (MOMENT_DRAWS,))
            kept = draws.mean(0), draws.var(0)
            if not isinstance(draws, jax.core.Tracer):
                self._kept_moments = kept
        return kept


def _minus(energy):
    return lambda value, level: -energy(value, level)


def annealed(fit, key: PRNGKeyArray, shape: tuple[int, ...], level: ArrayLike) -> Array:
    """Annealed Langevin draws of shape (*shape, *event); `level` has the last axes of `shape`, or none."""
    levels, ndim = fit.levels, len(fit.event_shape)
    start, move = random.split(key)
    bottom = jnp.asarray(levels.coordinate(level))
    rungs = levels.at(jnp.linspace(jnp.ones_like(bottom), bottom, RUNGS))

    def rung(x, at):
        level, key = at
        power = jax.vmap(lambda one: _target_power(fit, random.fold_in(key, 1), one))(level.reshape(-1))
        step = (ETA / power).reshape(*level.shape, *[1] * ndim)

        def langevin(x, key):
            noise = random.normal(key, x.shape, x.dtype)
            return x + step * fit.score(x, level) + jnp.sqrt(2 * step) * noise, None

        return lax.scan(langevin, x, random.split(key, STEPS))[0], None

    x, _ = lax.scan(rung, noised(fit, start, shape, levels.most), (rungs, random.split(move, RUNGS)))
    return x


def _target_power(fit, key, level):
    """E[|d/dy log p(y | x; level)|^2] per coordinate, over the examples."""
    _, score = fit.kernel.compile().target(key, fit.examples, **_parameters(fit, level))
    return jnp.mean(score**2)


def _inside(levels, level):
    """Is the level one of the range, up to rounding?"""
    return jnp.abs(levels.coordinate(level) - 0.5) <= 0.5 + SLACK


def _check_level(levels, level):
    if isinstance(level, jax.core.Tracer) or bool(jnp.all(_inside(levels, level))):
        return
    low, high = sorted((levels.least, levels.most))
    raise ParameterError(
        given=f"noise level {level}",
        expected=f"a level between {low:g} and {high:g}, the range of the fit",
        fix="choose a level inside, or train on a wider range of levels",
    )
