"""Draws from what a fit learned, by the chains and flows that lead from noise back to data.

    method                 needs                                     returns draws of
    "reverse-sde"          a diffusion (an SDE, normal noise)        q at the least noise
    "probability-flow"     the same                                  q at the least noise
    "predictor-corrector"  the same                                  q at the least noise
    "ancestral"            normal noise about a linear mean          q at the least noise
    "annealed-langevin"    levels; any kernel on a line              q at the least noise
    "walk-back"            a sampler of p(x | y); any kernel         the clean x
    "dae-chain"            the same, with levels; any kernel         the clean x

The diffusion is derived from the kernel's declaration (symbolic/process.py). Chains begin at the most noise with
examples seen through the kernel, which is the right law there; where the most noise still shows much of them, the draws
do, too.

The exact posterior of a program given data is `sd.sample`'s business; `known` here is the common approximation.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PRNGKeyArray

from symdsm.errors import DerivationError, ParameterError, SamplingError, ShapeError
from symdsm.inference.generate_flow import ProbabilityFlow
from symdsm.inference.generate_source import Source
from symdsm.inference.generate_steps import Ancestral, AnnealedLangevin, PredictorCorrector, ReverseSDE
from symdsm.inference.generate_walk import DaeChain, WalkBack, reconstruction
from symdsm.inference.supports import in_turn
from symdsm.learning.coordinates import Real
from symdsm.learning.potentials import DenoiserPotential
from symdsm.learning.protocols import PosteriorSampler

__all__ = ["METHODS", "admit", "generate", "lacks_diffusion", "lost_at", "methods_of", "trained_in"]

METHODS = {
    "reverse-sde": ReverseSDE,
    "probability-flow": ProbabilityFlow,
    "predictor-corrector": PredictorCorrector,
    "ancestral": Ancestral,
    "annealed-langevin": AnnealedLangevin,
    "walk-back": WalkBack,
    "dae-chain": DaeChain,
}
_ENTRIES, _MOST_STEPS = 2**22, 1_000_000

Method = ReverseSDE | ProbabilityFlow | PredictorCorrector | Ancestral | AnnealedLangevin | WalkBack | DaeChain


def generate(
    fit,
    key: PRNGKeyArray,
    n: int,
    method: str | Method = "reverse-sde",
    *,
    steps: int | None = None,
    context: ArrayLike | None = None,
    known: tuple[ArrayLike, ArrayLike] | None = None,
    batch_size: int | None = None,
) -> Array:
    """n independent draws (n, *event) of what `fit` learned.

    **Arguments**

    - `method`: a name of the module's table, or one of its objects for more choices, such as
      `symdsm.inference.generate_steps.ReverseSDE(solver=diffrax.ShARK())`. "reverse-sde" and "probability-flow" are run
      by Diffrax, the latter with an adaptive step unless `steps` is given.
    - `steps`: how many levels the method visits; its own default when None.
    - `context`: for a fit of pairs: one context for all draws, or n of them on the first axis.
    - `known`: (mask, values), both of the clean event's shape: entries to keep, and the clean values that they have.
    - `batch_size`: draws made at once; by default so many that a batch has four million entries. Draws depend on it.

    **Raises** `SamplingError` for a method that the kernel or the fit does not support (it names those that it does),
    and where draws are no longer finite (with the level; the finite ones are its attribute `draws`), `ParameterError`,
    `ShapeError`.
    """
    method, name = _method(method, steps)
    inner = trained_in(fit)
    method = _with_posterior(method, inner, key)
    admit(name, method, fit, {"known": known})
    known = _known(known, inner, fit)
    n, batch = _count(n, batch_size, fit)
    contexts = _contexts(context, inner, n)
    out, lost = [], []
    for begin in range(0, n, batch):
        rows = slice(begin, begin + batch)
        own = None if contexts is None else _padded(contexts[rows], batch)
        source = Source.of(inner, own, known)
        z, broken = _draw(method, source, jax.random.fold_in(key, begin), batch)
        out.append(np.asarray(z)[: n - begin])
        lost.append(np.asarray(broken)[: n - begin])
    draws = in_turn(inner.kernel, jnp.asarray(np.concatenate(out)))
    if inner is not fit:
        draws = jax.vmap(fit.coordinates.inverse)(draws)
    lost_at(Source.of(inner), jnp.asarray(np.concatenate(lost)), draws, f'method="{name}"')
    return draws


@eqx.filter_jit
def _draw(method: Method, source: Source, key: PRNGKeyArray, n: int) -> tuple[Array, Array]:
    z, lost = method.draw(source, key, n)
    return (z if "posterior" in method.needs else source.line.place(z)), lost


def trained_in(fit):
    """The fit in the coordinates in which it was trained."""
    return fit if isinstance(getattr(fit, "coordinates", Real()), Real) else fit.latent


def methods_of(fit) -> list[str]:
    """The methods that the kernel and the network of `fit` support."""
    return [name for name, method in METHODS.items() if _obstacle(method(), fit) is None]


def lacks_diffusion(fit) -> bool:
    """Whether the reverse diffusion is out of reach for this fit's kernel."""
    return _obstacle(ReverseSDE(), fit) is not None


def admit(name: str, method: Method, fit, options: dict[str, Any]) -> None:
    """Raise SamplingError where `fit` does not have what `method` needs."""
    reason = _obstacle(method, fit)
    if reason is not None:
        able = ", ".join(f'"{m}"' for m in methods_of(fit)) or "none of the methods"
        raise SamplingError(given=f'method="{name}": {reason}', expected=f"a method it supports: {able}", fix=_FIX)
    if options.get("known") is not None and not method.inpaints:
        raise SamplingError(
            given=f'known values with method="{name}", which has no step in which to put them',
            expected='a method that goes by steps of its own: "reverse-sde", "predictor-corrector", "ancestral", ...',
            fix='pass method="predictor-corrector"',
        )


_FIX = "choose one of these; a sampler of p(x | y) for walk-back goes in WalkBack(posterior=...)"


def _obstacle(method: Method, fit) -> str | None:
    """What is missing for `method`, in words."""
    if "levels" in method.needs and fit.levels is None:
        return "the fit has no noise levels, so there is no way from noise to data"
    if "posterior" in method.needs:
        draws = isinstance(getattr(method, "posterior", None) or fit, PosteriorSampler)
        if not draws and not isinstance(getattr(fit, "potential", None), DenoiserPotential):
            return "the fit has no sampler of p(x | y); a score or an energy is none"
        return None
    reconstructs = isinstance(getattr(fit, "potential", None), DenoiserPotential)
    if not hasattr(fit, "score") or (reconstructs and not fit.affine):
        return "the fit has no score"
    program = fit.kernel.compile()
    if getattr(program, "manifold", None) is not None or hasattr(getattr(fit.kernel, "support", None), "manifold"):
        return "the kernel lives on a curved space, where these steps would leave it"
    return _underived(method, trained_in(fit), program)


def _underived(method: Method, fit, program) -> str | None:
    """Why the kernel has no diffusion or bridge, where `method` needs one."""
    wanted = {"diffusion": ("flow", "diffusion"), "bridge": ("denoise", "bridge")}
    names = [f for need in method.needs for f in wanted.get(need, ())]
    if not names:
        return None
    if not all(hasattr(program, f) for f in names):
        return f"the kernel's program lacks {' and '.join(names)}"
    source, half = Source.of(fit), jnp.asarray(0.5, fit.examples.dtype)
    y = jax.eval_shape(lambda: source.start(jax.random.key(0), 2, half))
    params = source.params(half)
    try:
        for f in names:
            arrays = {"diffusion": (y,), "bridge": (y, y, half)}.get(f, (y, y))
            jax.eval_shape(lambda *a, f=f: getattr(program, f)(*a, **params), *arrays)
    except DerivationError as error:
        return f"{error.given}; wanted: {error.expected}"
    if "diffusion" in names and not source.vector:
        y = jnp.ones(1, fit.examples.dtype) * source.line.place(jnp.zeros((), fit.examples.dtype))
        rate = program.reverse(y, jnp.zeros(1, y.dtype), **params) - program.reverse(y, jnp.ones(1, y.dtype), **params)
        if not bool(jnp.all(rate * source.slope(half) > 0)):
            return f"the noise does not grow from {fit.levels.least:g} to {fit.levels.most:g}, the levels of the fit"
    return None


def _method(method: str | Method, steps: int | None) -> tuple[Method, str]:
    if isinstance(method, str):
        if method not in METHODS:
            raise ParameterError(
                given=f"method={method!r}", expected=f"one of {', '.join(METHODS)}", fix='pass method="reverse-sde"'
            )
        name, made = method, METHODS[method]() if steps is None else METHODS[method](steps=steps)
    else:
        name = next((k for k, cls in METHODS.items() if isinstance(method, cls)), None)
        if name is None or steps is not None:
            raise ParameterError(
                given=f"method of type {type(method).__name__}" if name is None else "steps beside a method object",
                expected="a name, or an object of one of the methods with its steps inside",
                fix='pass method="reverse-sde", steps=500',
            )
        made = method
    count = made.steps
    adaptive = count is None and isinstance(made, ProbabilityFlow)
    whole = isinstance(count, int | np.integer) and not isinstance(count, bool)
    if not adaptive and not (whole and 1 <= count <= _MOST_STEPS):
        raise ParameterError(
            given=f"steps={count!r}", expected=f"a whole number from 1 to {_MOST_STEPS}", fix="pass steps=500"
        )
    return made, name


def _with_posterior(method: Method, fit, key: PRNGKeyArray) -> Method:
    """A walk with the sampler that the fit of a denoiser holds, where none was given."""
    given = "posterior" not in method.needs or method.posterior is not None or isinstance(fit, PosteriorSampler)
    if given or fit.levels is None or not isinstance(getattr(fit, "potential", None), DenoiserPotential):
        return method
    return type(method)(**{**vars(method), "posterior": reconstruction(fit, jax.random.fold_in(key, 2**31 - 1))})


def _count(n: int, batch_size: int | None, fit) -> tuple[int, int]:
    size = max(64, int(np.prod(fit.event_shape)))
    batch = max(1, _ENTRIES // size) if batch_size is None else batch_size
    for name, value in {"n": n, "batch_size": batch}.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
            raise ParameterError(
                given=f"{name}={value!r}", expected="a whole number of at least 1", fix=f"pass {name}=1000"
            )
    return int(n), int(min(batch, n))


def _known(known, inner, fit):
    """(mask, values) as arrays of the clean event's shape, in the coordinates of training."""
    if known is None:
        return None
    mask, values = jnp.asarray(known[0]), jnp.asarray(known[1], inner.examples.dtype)
    shape = fit.examples.shape[1:]
    if mask.dtype != bool or mask.shape != shape or values.shape != shape:
        raise ShapeError(
            given=f"known with a mask of type {mask.dtype}, shape {mask.shape}, and values of shape {values.shape}",
            expected=f"a boolean mask and values, both of shape {shape}",
            fix="mask what is known with True; values elsewhere are not read, but must be inside the support",
        )
    if not bool(jnp.all(jnp.isfinite(jnp.where(mask, values, 0.0)))):
        raise ParameterError(
            given="known values that are not finite", expected="finite numbers", fix="set the mask to False there"
        )
    if inner is fit:
        return mask, values
    if inner.examples.shape[1:] != shape:
        raise SamplingError(
            given="known entries of a composition, whose parts cannot be kept one by one",
            expected="data whose entries are free of each other",
            fix="use sd.sample of a program that observes these parts",
        )
    return mask, fit.coordinates.forward(jnp.where(mask, values, fit.examples[0]))


def _contexts(context, fit, n: int):
    """(n, *context), or None."""
    shape = getattr(fit, "context_shape", None)
    if (context is None) != (shape is None):
        raise ParameterError(
            given="no context" if context is None else "a context",
            expected="a fit of data without context"
            if shape is None
            else f"a context of shape {shape}, as in training",
            fix="leave context out" if shape is None else "pass context=...",
        )
    if context is None:
        return None
    array = jnp.asarray(context, fit.examples.dtype)
    if array.shape not in (shape, (n, *shape)):
        raise ShapeError(
            given=f"a context of shape {array.shape}",
            expected=f"{shape} for all draws, or {(n, *shape)} with one for each",
            fix="pass a context as in training",
        )
    return jnp.broadcast_to(array, (n, *shape))


def _padded(rows: Array, n: int) -> Array:
    return jnp.concatenate([rows, jnp.broadcast_to(rows[:1], (n - len(rows), *rows.shape[1:]))])


def lost_at(source: Source, lost: Array, draws: Array, what: str) -> None:
    """Raise SamplingError when a row was lost on the way, or is not finite; the good rows go with it."""
    finite = jnp.isfinite(draws).reshape(len(draws), -1).all(axis=1)
    bad = ~jnp.isnan(lost) | ~finite
    if not bool(bad.any()):
        return
    places = lost[~jnp.isnan(lost)]
    where = ""
    if places.size and source.fit.levels is not None:
        where = f", the first at {source.fit.kernel.level.name} = {float(source.level(jnp.max(places))):.4g}"
    error = SamplingError(
        given=f"{what} lost {int(bad.sum())} of {len(draws)} rows{where}",
        expected="finite values at every level",
        fix="take more steps or a tighter tolerance, or look at fit.score at that level; the others are in error.draws",
    )
    error.draws = draws[~bad]
    raise error
