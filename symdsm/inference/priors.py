"""Learned densities as NumPyro distributions.

A fit holds an energy U(x; lam), minus the log density of noised data at each trained level lam, up to one constant
for all levels. `LearnedPrior` has the density

    p(x) proportional to exp(-U(x; lam)),        log p = fit.log_prob where the fit is normalised,

at the level it is given, else at the one that `noise_level` sets, else at the lowest trained one. A level may be an
array, which makes a batch of densities, or a latent site of the program: energies trained by the dual objective have
one normaliser for all levels, so that their density in the level is right. Outside the trained range the density
is 0, since the energy means nothing there: a latent level is thereby cut to that range.

A fit of pairs (x, c) gives p(x | c), and takes the context c as an array or from other sites of the program. Its
normaliser depends on c; for a context that is no site it is found once, before the program is traced.

Draws are made by annealed Langevin dynamics (Song & Ermon 2019, arXiv:1907.05600): start from noised data at the
largest level and move down the trained levels with the steps

    x <- x - h(lam) dU/dx + sqrt(2 h(lam)) n,        h(lam) = eta / E[|d/dy log p(y | x; lam)|^2 / d],

the expectation being the mean squared denoising target at the level: for Gaussian noise h = eta sigma^2. The
dynamics is not Metropolis-adjusted; its bias is of order eta. Where the kernel has a diffusion (normal noise and linear
SDEs) a step of its reverse leads to each level, with two Langevin steps there (Song et al. 2021, arXiv:2011.13456).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax, random
from jaxtyping import Array, ArrayLike, PRNGKeyArray
from numpyro.distributions import Distribution, constraints
from numpyro.distributions.util import validate_sample

from symdsm.errors import DerivationError, EnergyRequired, ParameterError, ShapeError
from symdsm.inference.generate_source import diffuses
from symdsm.inference.supports import constraint_on, in_turn, one_turn

__all__ = ["LearnedPrior", "annealed", "noised"]

RUNGS, STEPS, ETA = (40, 260), (20, 2), 0.1  # without and with a diffusion
MOMENT_DRAWS = 2000
SLACK = 1e-4  # of the range of the level's coordinate, for rounding


def noised(fit, key: PRNGKeyArray, shape: tuple[int, ...], level: ArrayLike) -> Array:
    """Training examples seen through the fit's kernel at a level; returns (*shape, *event_shape)."""
    pick, noise = random.split(key)
    examples = fit.latent.examples
    clean = examples[random.randint(pick, shape, 0, examples.shape[0])]
    y = in_turn(fit.kernel, fit.kernel.compile().sample(noise, clean, **_parameters(fit, level)))
    return _each_event(fit.coordinates.inverse, y, len(shape))


def _each_event(function, values, batch: int):
    for _ in range(batch):
        function = jax.vmap(function)
    return function(values)


def _parameters(fit, level):
    return {**fit.params, fit.kernel.level.name: level}


class LearnedPrior(Distribution):
    """The density that `fit` learned, as a NumPyro distribution over arrays of shape `fit.event_shape`.

    `level` fixes the noise level; without it the level is set by `noise_level`, or is the lowest trained one. A
    conditional fit needs a `context`, (*batch, *fit.context_shape). The batch shape is that of level and context
    broadcast together; the support is that of the data. `mean` and `variance` are those of 2000 draws at a fixed key,
    kept with the object.

    Raises `EnergyRequired` when the network of the fit is a score or a denoiser, `DerivationError` for a fit of a
    kernel without a level, `ParameterError` for a level outside the trained range (under `jax.jit` the density is 0
    there) and for a context that is missing or in excess, `ShapeError` when a value has another event shape.
    """

    arg_constraints = {}
    pytree_data_fields = ("_arrays", "level", "context")
    pytree_aux_fields = ("_structure",)
    has_rsample = False

    def __init__(
        self,
        fit,
        level: ArrayLike | None = None,
        *,
        context: ArrayLike | None = None,
        validate_args: bool | None = None,
    ):
        self.admit(fit)
        if fit.levels is None:
            raise DerivationError(
                given="a fit of a kernel without a level",
                expected="a kernel with a noise level: draws move down the levels, from noise to data",
                fix="declare the kernel with level=, and train with levels=sd.geometric(...)",
            )
        if level is not None:
            _check_level(fit.levels, level)
        self.level, self.context = level, context
        self._arrays, self._structure = eqx.partition(fit, eqx.is_array)
        batch = jnp.broadcast_shapes(() if level is None else jnp.shape(level), _context_batch(fit, context))
        super().__init__(batch, tuple(fit.event_shape))
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
    def fit(self):
        """The fit. As a PyTree a prior shows the arrays of its fit only, so that it may pass through jit and scan."""
        return eqx.combine(self._arrays, self._structure)

    @property
    def support(self):
        """Where the data of the fit live: NumPyro's constraint for its `support`, or one turn of a circle."""
        period = getattr(self.fit.kernel, "period", None)
        if period:
            return constraints.independent(one_turn(period), len(self.event_shape))
        return constraint_on(self.fit.support, len(self.event_shape))

    @property
    def current_level(self) -> ArrayLike:
        """The level at which `log_prob` and `sample` work."""
        return self.fit.levels.least if self.level is None else self.level

    def at_level(self, level: ArrayLike) -> "LearnedPrior":
        """The same prior at another noise level."""
        return type(self)(self.fit, level, context=self.context, validate_args=self._validate_args)

    @validate_sample
    def log_prob(self, value: Array) -> Array:
        """-U(value; level), normalised where the fit is; value (*batch, *event_shape) gives (*batch)."""
        self.check_event(value)
        if not isinstance(self.level, jax.core.Tracer):
            return self._density(value, self.current_level)
        levels = self.fit.levels
        clipped = jnp.clip(self.level, *sorted((levels.least, levels.most)))
        return jnp.where(_inside(levels, self.level), self._density(value, clipped), -jnp.inf)

    def _density(self, value: Array, level: ArrayLike) -> Array:
        fit, context = self.fit, () if self.context is None else (self.context,)
        if fit.normalised and (not context or isinstance(self.context, jax.core.Tracer)):
            return fit.log_prob(value, level, *context)
        energy = fit.energy(value, level, *context)
        if not fit.normalised:
            return -energy
        place = fit.examples[0], fit.levels.least, *context
        with jax.ensure_compile_time_eval():
            constant = fit.log_prob(*place) + fit.energy(*place)
        return constant - energy

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
        level = jnp.asarray(self.current_level, float)
        z = annealed(self.fit.latent, key, shape, level, self.context)
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


def _context_batch(fit, context) -> tuple[int, ...]:
    """The batch axes of a context; raises ParameterError when the fit does not take one, or asks for one."""
    shape = getattr(fit, "context_shape", None)
    if (context is None) != (shape is None):
        raise ParameterError(
            given="no context" if context is None else "a context for a fit that was trained without",
            expected=f"a context of shape {shape}" if context is None else "none",
            fix="write sd.LearnedPrior(fit, context=...)" if context is None else "leave the context out",
        )
    if context is None:
        return ()
    given = jnp.shape(context)
    if given[len(given) - len(shape) :] != shape:
        raise ShapeError(
            given=f"a context of shape {given}",
            expected=f"(*batch, {', '.join(map(str, shape))}), as in training",
            fix="put batch axes in front of the context's own",
        )
    return given[: len(given) - len(shape)]


@eqx.filter_jit
def annealed(fit, key: PRNGKeyArray, shape: tuple[int, ...], level: Array, context: ArrayLike | None = None) -> Array:
    """Annealed Langevin draws of shape (*shape, *event); level and context have the last axes of `shape`, or none."""
    given = () if context is None else (context,)
    levels, ndim = fit.levels, len(fit.event_shape)
    start, move = random.split(key)
    bottom = jnp.asarray(levels.coordinate(level))
    moves = diffuses(fit)
    rungs = levels.at(jnp.linspace(jnp.ones_like(bottom), bottom, RUNGS[moves]))

    def rung(x, at):
        before, level, key = at
        if moves:
            x = _predicted(fit, random.fold_in(key, 2), x, before, level, given)
        power = jax.vmap(lambda one: _target_power(fit, random.fold_in(key, 1), one))(level.reshape(-1))
        step = (ETA / power).reshape(*level.shape, *[1] * ndim)

        def langevin(x, key):
            noise = random.normal(key, x.shape, x.dtype)
            return in_turn(fit.kernel, x + step * fit.score(x, level, *given) + jnp.sqrt(2 * step) * noise), None

        return lax.scan(langevin, x, random.split(key, STEPS[moves]))[0], None

    above = jnp.concatenate([rungs[:1], rungs[:-1]])
    x, _ = lax.scan(rung, noised(fit, start, shape, levels.most), (above, rungs, random.split(move, len(rungs))))
    return x


def _predicted(fit, key, x, before, level, given):
    """One step of the reverse diffusion from the level `before` to `level`, by Euler and Maruyama."""
    program, ndim = fit.kernel.compile(), len(fit.event_shape)
    here, there = (a.reshape(*a.shape, *[1] * ndim) for a in (before, level))
    params = _parameters(fit, here)
    drift = program.reverse(x, fit.score(x, before, *given), **params)
    spread = program.diffusion(x, **params) * jnp.sqrt(jnp.abs(here - there))
    return x - (here - there) * drift + spread * random.normal(key, x.shape, x.dtype)


def _target_power(fit, key, level):
    """E[|d/dy log p(y | x; level)|^2] per coordinate, over the examples."""
    _, score = fit.kernel.compile().target(key, fit.examples, **_parameters(fit, level))
    return jnp.mean(score**2)


def _inside(levels, level):
    """Is the level one of the range, up to rounding?"""
    return jnp.abs(levels.coordinate(level) - 0.5) <= 0.5 + SLACK


def _check_level(levels, level):
    if isinstance(level, jax.core.Tracer):
        return
    with jax.ensure_compile_time_eval():  # a known level stays known while a program is traced
        inside = bool(jnp.all(_inside(levels, level)))
    if inside:
        return
    low, high = sorted((levels.least, levels.most))
    raise ParameterError(
        given=f"noise level {level}",
        expected=f"a level between {low:g} and {high:g}, the range of the fit",
        fix="choose a level inside, or train on a wider range of levels",
    )
