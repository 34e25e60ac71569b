"""Learned densities and symbolic kernels as NumPyro distributions.

A fit holds an energy U(x; lam), minus the log density of noised data at each trained level lam, up to one constant
for all levels. `LearnedPrior` has the density

    p(x) proportional to exp(-U(x; lam)),        log p = fit.log_prob where the fit is normalised,

at the level that `noise_level` sets, else at the lowest trained one.

Draws are made by annealed Langevin dynamics (Song & Ermon 2019, arXiv:1907.05600): start from noised data at the
largest level and move down the trained levels with the steps

    x <- x - h(lam) dU/dx + sqrt(2 h(lam)) n,        h(lam) = eta / E[|d/dy log p(y | x; lam)|^2 / d],

the expectation being the mean squared denoising target at the level: for Gaussian noise h = eta sigma^2. The
dynamics is not Metropolis-adjusted; its bias is of order eta.

`KernelDistribution` is the kernel p(y | x; params) itself, from its compiled program, so that the same declaration
that trained a prior, or another one, is the likelihood of a program.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax, random
from jaxtyping import Array, ArrayLike, PRNGKeyArray
from numpyro.distributions import Distribution, constraints
from numpyro.distributions.util import validate_sample

import symdsm.inference.sphere  # noqa: F401  (registers NumPyro's map onto the sphere)
from symdsm.errors import DerivationError, EnergyRequired, ParameterError, ShapeError

__all__ = ["KernelDistribution", "LearnedPrior", "kernel_distribution", "noised"]

RUNGS, STEPS, ETA = 40, 20, 0.1


def noised(fit, key: PRNGKeyArray, shape: tuple[int, ...], level: ArrayLike) -> Array:
    """Training examples seen through the fit's kernel at a level; returns (*shape, *event_shape)."""
    pick, noise = random.split(key)
    clean = fit.examples[random.randint(pick, shape, 0, fit.examples.shape[0])]
    return fit.kernel.compile().sample(noise, clean, **_parameters(fit, level))


def _parameters(fit, level):
    return {**fit.params, fit.kernel.level.name: level}


class LearnedPrior(Distribution):
    """The density that `fit` learned, as a NumPyro distribution over arrays of shape `fit.event_shape`.

    `level` fixes the noise level; without it the level is set by `noise_level`, or is the lowest trained one.

    Raises `EnergyRequired` when the network of the fit is a score or a denoiser, `ParameterError` for a level
    outside the trained range, `ShapeError` when a value has another event shape.
    """

    arg_constraints = {}
    pytree_data_fields = ("fit", "level")

    def __init__(self, fit, level: ArrayLike | None = None, *, validate_args: bool | None = None):
        self.admit(fit)
        if level is not None:
            _check_level(fit.levels, level)
        self.fit, self.level = fit, level
        super().__init__((), tuple(fit.event_shape), validate_args=validate_args)

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
        if self.fit.normalised:
            return self.fit.log_prob(value, self.current_level)
        return -self.fit.energy(value, self.current_level)

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
        """Annealed Langevin draws at the current level; returns (*sample_shape, *event_shape)."""
        levels = self.fit.levels
        start, move = random.split(key)
        n = math.prod(sample_shape)
        x = noised(self.fit, start, (n,), levels.most)
        bottom = levels.coordinate(self.current_level)
        rungs = levels.at(jnp.linspace(1.0, bottom, RUNGS))

        def rung(x, at):
            level, key = at
            step = ETA / _target_power(self.fit, random.fold_in(key, 1), level)

            def langevin(x, key):
                noise = random.normal(key, x.shape, x.dtype)
                return x + step * self.fit.score(x, level) + jnp.sqrt(2 * step) * noise, None

            return lax.scan(langevin, x, random.split(key, STEPS))[0], None

        x, _ = lax.scan(rung, x, (rungs, random.split(move, RUNGS)))
        return x.reshape(*sample_shape, *self.event_shape)


def _target_power(fit, key, level):
    """E[|d/dy log p(y | x; level)|^2] per coordinate, over the examples."""
    _, score = fit.kernel.compile().target(key, fit.examples, **_parameters(fit, level))
    return jnp.mean(score**2)


def _check_level(levels, level):
    if isinstance(level, jax.core.Tracer):
        return
    low, high = sorted((levels.least, levels.most))
    slack = 1e-5 * (high - low)
    if not bool(jnp.all((jnp.asarray(level) >= low - slack) & (jnp.asarray(level) <= high + slack))):
        raise ParameterError(
            given=f"noise level {level}",
            expected=f"a level between {low:g} and {high:g}, the range of the fit",
            fix="choose a level inside, or train on a wider range of levels",
        )


class KernelDistribution(Distribution):
    """p(y | x; params) of a kernel; made by `kernel.distribution(x, **params)`.

    The batch shape is that of x and the parameters broadcast together, less the axes of an event, which the kernel
    knows: none for a scalar kernel. Outside the support `log_prob` is -inf.
    """

    arg_constraints = {}
    pytree_data_fields = ("x", "params")
    pytree_aux_fields = ("kernel", "_support")

    def __init__(self, kernel, x: ArrayLike, params: dict, *, validate_args: bool | None = None):
        self.kernel, self.x, self.params = kernel, jnp.asarray(x, float), params
        ndim = kernel.event_ndim
        if ndim == 0:
            batch, event = jnp.broadcast_shapes(self.x.shape, *map(jnp.shape, params.values())), ()
        else:
            x = jax.ShapeDtypeStruct(self.x.shape, self.x.dtype)
            drawn = kernel.compile().event_shape(x, **params)
            batch, event = drawn[: len(drawn) - ndim], drawn[len(drawn) - ndim :]
        self._support = _constraint(kernel.support, ndim)
        super().__init__(batch, event, validate_args=validate_args)

    @property
    def support(self):
        """The kernel's support; the whole line where its ends depend on x or a parameter."""
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
            return program.sample(key, jnp.broadcast_to(self.x, batch), **self.params)
        if program.needs_chains:
            y = program.draws(key, self.x, math.prod(sample_shape), **self.params)
            return jnp.moveaxis(y, len(self.batch_shape), 0).reshape(*batch, *self.event_shape)
        keys = random.split(key, math.prod(sample_shape))
        y = jax.vmap(lambda k: program.sample(k, self.x, **self.params))(keys)
        return y.reshape(*batch, *self.event_shape)


def kernel_distribution(kernel, x: ArrayLike, /, **params) -> KernelDistribution:
    """`kernel` at x as a NumPyro distribution.

    Raises `DerivationError` when the kernel's density is not known to be normalised, `ParameterError` for missing or
    unknown parameters.
    """
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


def _constraint(support, ndim: int):
    """The NumPyro constraint for a kernel's support, a manifold or a set with fixed ends; the real line for others."""
    if (manifold := getattr(support, "manifold", None)) is not None:
        return {"simplex": constraints.simplex, "sphere": constraints.sphere}[manifold]
    try:
        low, high = float(support.inf), float(support.sup)
    except (TypeError, AttributeError, NotImplementedError):
        low, high = -math.inf, math.inf
    if math.isinf(low) and math.isinf(high):
        inside = constraints.real
    elif math.isinf(high):
        inside = constraints.positive if low == 0 else constraints.greater_than(low)
    elif math.isinf(low):
        inside = constraints.less_than(high)
    else:
        inside = constraints.interval(low, high)
    return constraints.independent(inside, ndim) if ndim else inside
