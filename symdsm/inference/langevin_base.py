"""What every Langevin kernel for `numpyro.infer.MCMC` shares: starting, chains, adaptation, book-keeping.

All work in whitened coordinates w with z = A' w, A'A the inverse mass matrix: a step dw moves z by A' dw, and the
gradient in w is A grad U(z). A is one until warm-up has estimated it, a vector (diagonal) or a matrix (dense).

Unadjusted kernels need the gradient of the potential only, so they also take a `VectorScore` and programs with a
`LearnedScore`; the potential energy that they report is then NaN, since there is none. The others refuse such a
target when they are made, or, for a program, when it is first looked at.
"""

import copy
from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax, random, vmap
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PRNGKeyArray, PyTree
from numpyro.infer.mcmc import MCMCKernel
from numpyro.infer.util import initialize_model
from numpyro.util import identity, is_prng_key

from symdsm.errors import ParameterError
from symdsm.inference.adaptation import Adaptation, Adapter
from symdsm.inference.scores import VectorScore, require_energy, require_scalar, scores_allowed

__all__ = [
    "Langevin",
    "LangevinState",
    "Point",
    "Step",
    "accept_or_stay",
    "require",
    "stay_finite",
    "unwhiten",
    "whiten",
]


# Made by `init`; they neither copy nor pickle.
CLOSURES = ("_sample_fn", "_adapter", "_potential_gen", "_postprocess")
CHAINS = "chains"


class LangevinState(NamedTuple):
    """What a chain carries from draw to draw, under NumPyro's names.

    `velocity` is that of an underdamped kernel in whitened coordinates, None for the others; `diverging` says that the
    energy grew by more than 1000 in the step, or was not a number.
    """

    i: Array
    z: PyTree
    potential_energy: Array
    z_grad: PyTree
    velocity: Array | None
    accept_prob: Array
    mean_accept_prob: Array
    diverging: Array
    adapt_state: Adaptation
    rng_key: PRNGKeyArray


class Point(NamedTuple):
    """A flat position (d,), its potential and gradient."""

    z: Array
    potential: Array
    grad: Array


class Step(NamedTuple):
    """Where a step ended, the velocity there, its acceptance probability, and whether it diverged."""

    point: Point
    velocity: Array | None
    accept: Array
    diverging: Array


def require(holds: bool, given: str, expected: str, fix: str) -> None:
    """Raise ParameterError unless `holds`."""
    if not holds:
        raise ParameterError(given=given, expected=expected, fix=fix)


def whiten(scale: Array, gradient: Array) -> Array:
    """A g."""
    return scale @ gradient if scale.ndim == 2 else scale * gradient


def unwhiten(scale: Array, step: Array) -> Array:
    """A' d."""
    return scale.T @ step if scale.ndim == 2 else scale * step


class Langevin(MCMCKernel):
    """The part of a kernel that does not depend on its dynamics; `step` is what a subclass adds."""

    sample_field = "z"
    default_fields = ("z", "diverging")
    adjusted = True
    keys = 1

    def __init__(self, model, potential_fn, step_size, adapt, dense_mass, target_accept_prob, init_strategy):
        if (model is None) == (potential_fn is None):
            raise ValueError("give exactly one of `model` and `potential_fn`")
        require(step_size > 0, f"step_size = {step_size}", "a positive step size", "try step_size=0.1")
        require(
            0 < target_accept_prob < 1,
            f"target_accept_prob = {target_accept_prob}",
            "a probability between 0 and 1",
            "leave it out: the default is the best for most targets",
        )
        require(
            isinstance(dense_mass, bool),
            f"dense_mass = {dense_mass!r}",
            "True or False: the mass of this kernel has no blocks of sites",
            "pass dense_mass=True, which covers all sites",
        )
        if self.adjusted:
            require_energy(potential_fn, type(self).__name__)
        self._model, self._potential_fn = model, potential_fn
        self._step_size, self._dense_mass = step_size, dense_mass
        self._adapt_step_size, self._adapt_mass_matrix = adapt
        self._target_accept_prob, self._init_strategy = target_accept_prob, init_strategy
        self._num_warmup = 0
        self.__dict__.update(dict.fromkeys(CLOSURES))

    @property
    def model(self) -> Callable | None:
        return self._model

    @abstractmethod
    def step(self, keys: list[PRNGKeyArray], at: Point, velocity, h: Array, scale: Array, evaluate: Callable) -> Step:
        """One transition from `at` with step size h and as many `keys` as the class asks for; `evaluate` maps a flat
        position to its Point."""

    def start_velocity(self, key: PRNGKeyArray, z: Array) -> Array | None:
        """The velocity with which a chain begins."""
        return None

    def init(self, rng_key, num_warmup, init_params, model_args, model_kwargs) -> LangevinState:
        """The first state of one chain, or of all of them where `rng_key` is a batch of keys."""
        one = is_prng_key(rng_key)
        keys = random.split(rng_key) if one else jnp.swapaxes(vmap(random.split)(rng_key), 0, 1)
        if self._model is not None:
            with scores_allowed(not self.adjusted, value=0.0):
                info, self._potential_gen, self._postprocess, _ = initialize_model(
                    keys[0],
                    self._model,
                    dynamic_args=True,
                    init_strategy=self._init_strategy,
                    model_args=model_args,
                    model_kwargs=model_kwargs,
                )
            init_params = info.z if init_params is None else init_params
        elif init_params is None:
            raise ValueError("`init_params` must be given with `potential_fn`: the unconstrained start of each chain")
        if self._potential_fn is not None and not isinstance(self._potential_fn, VectorScore):
            require_scalar(self._potential_fn, _first(init_params, one), type(self).__name__)
        self._num_warmup = num_warmup
        self._adapter = Adapter(
            num_warmup, self._adapt_step_size, self._adapt_mass_matrix, self._dense_mass, self._target_accept_prob
        )
        many = vmap(partial(self._one, axis=CHAINS), in_axes=(0, None, None), axis_name=CHAINS)
        self._sample_fn = self._one if one else many

        def start(z, key):
            return self._start(z, key, model_args, model_kwargs)

        return (start if one else vmap(start))(init_params, keys[1])

    def _start(self, z, key, args, kwargs) -> LangevinState:
        key, velocity = random.split(key)
        z = jax.tree.map(jnp.asarray, z)
        flat, unravel = ravel_pytree(z)
        point = self._evaluate(self._potential(args, kwargs), unravel)(flat)
        step_size = jnp.asarray(self._step_size, flat.dtype)
        zero = jnp.zeros((), flat.dtype)
        return LangevinState(
            jnp.array(0),
            z,
            point.potential,
            unravel(point.grad),
            self.start_velocity(velocity, flat),
            zero,
            zero,
            jnp.array(False),
            self._adapter.start(step_size, flat),
            key,
        )

    def _potential(self, args, kwargs) -> Callable:
        return self._potential_fn if self._model is None else self._potential_gen(*args, **(kwargs or {}))

    def _evaluate(self, potential, unravel) -> Callable[[Array], Point]:
        if isinstance(potential, VectorScore):
            return lambda flat: Point(
                flat, jnp.full((), jnp.nan, flat.dtype), -ravel_pytree(potential.score(unravel(flat)))[0]
            )

        def evaluate(flat):
            with scores_allowed(not self.adjusted):
                value, grad = jax.value_and_grad(potential)(unravel(flat))
            return Point(flat, value, ravel_pytree(grad)[0])

        return evaluate

    def sample(self, state: LangevinState, model_args, model_kwargs) -> LangevinState:
        """The next state; pure."""
        return self._sample_fn(state, model_args, model_kwargs)

    def _one(self, state: LangevinState, args, kwargs, axis: str | None = None) -> LangevinState:
        # All chains are at the same step. Told so, vmap keeps the branches of warm-up instead of taking both.
        i = state.i if axis is None else lax.pmax(state.i, axis)
        rng_key, *keys = random.split(state.rng_key, 1 + self.keys)
        flat, unravel = ravel_pytree(state.z)
        at = Point(flat, state.potential_energy, ravel_pytree(state.z_grad)[0])
        adapted = state.adapt_state
        evaluate = self._evaluate(self._potential(args, kwargs), unravel)
        new = self.step(keys, at, state.velocity, adapted.step_size, adapted.mass_matrix_sqrt_inv, evaluate)
        warming = i < self._num_warmup
        if self._num_warmup and (self._adapt_step_size or self._adapt_mass_matrix):
            update = partial(self._adapter.update, i, new.accept, new.point.z, new.point.grad)
            adapted = lax.cond(warming, update, identity, adapted)
        n = jnp.where(warming, i + 1, i + 1 - self._num_warmup)
        mean = state.mean_accept_prob + (new.accept - state.mean_accept_prob) / n
        return LangevinState(
            state.i + 1,
            unravel(new.point.z),
            new.point.potential,
            unravel(new.point.grad),
            new.velocity,
            new.accept,
            mean,
            new.diverging,
            adapted,
            rng_key,
        )

    def postprocess_fn(self, args, kwargs) -> Callable:
        """From unconstrained values to those of the program's sites, deterministic ones included."""
        return identity if self._postprocess is None else self._postprocess(*args, **(kwargs or {}))

    def get_diagnostics_str(self, state: LangevinState) -> str:
        """Step size and running acceptance, for the progress bar."""
        return f"step size {state.adapt_state.step_size:.2e}. acc. prob={state.mean_accept_prob:.2f}"

    def refresh(self, state: LangevinState, model_args, model_kwargs) -> LangevinState:
        """The state with potential and gradient recomputed for other arguments, as Gibbs blocks need it."""
        flat, unravel = ravel_pytree(state.z)
        point = self._evaluate(self._potential(model_args, model_kwargs), unravel)(flat)
        return state._replace(potential_energy=point.potential, z_grad=unravel(point.grad))

    def wrap_model(self, wrapper: Callable) -> "Langevin":
        """A copy of this kernel for `wrapper(model)`."""
        if self._model is None:
            raise ValueError("`wrap_model` needs a kernel built from a model, not from a potential function")
        kernel = copy.copy(self)
        kernel._model = wrapper(self._model)
        return kernel

    def __getstate__(self) -> dict:
        return {**self.__dict__, **dict.fromkeys(CLOSURES)}


def _first(z: PyTree, one: bool) -> PyTree:
    """The start of one chain."""
    return z if one else jax.tree.map(lambda leaf: leaf[0], z)


def accept_or_stay(key: PRNGKeyArray, log_ratio: Array, new: Point, old: Point) -> tuple[Point, Array, Array]:
    """Metropolis: (the point, min(1, exp(log_ratio)), diverging); what is not a number is refused."""
    log_ratio = jnp.where(jnp.isnan(log_ratio), -jnp.inf, log_ratio)
    accept = jnp.exp(jnp.minimum(log_ratio, 0.0))
    taken = random.uniform(key, (), accept.dtype) < accept
    point = jax.tree.map(lambda a, b: jnp.where(taken, a, b), new, old)
    return point, accept, log_ratio < -1000


def stay_finite(new: Point, old: Point, velocity, back) -> tuple[Point, Array | None, Array, Array]:
    """An unadjusted step as Step's fields; one to a gradient that is no number is not taken, and diverges."""
    finite = jnp.isfinite(jnp.sum(new.z) + jnp.sum(new.grad))
    taken = jax.tree.map(lambda a, b: jnp.where(finite, a, b), (new, velocity), (old, back))
    return *taken, finite.astype(new.z.dtype), ~finite
