r"""Implicit score matching: the score of q(y; u) from draws of y alone.

    ism       E [ 1/2 ||s(y)||^2 + tr ds/dy ]                      exact trace
              E [ 1/2 ||s(y)||^2 + v' (ds/dy) v ]                  Hutchinson's estimate, v random signs
    sliced    E [ 1/2 (v' s(y))^2 + v' (ds/dy) v ]                 E v v' = I

Both are E 1/2 ||s - grad log q||^2 less a constant, because E_q <s, grad log q> = - E_q tr ds/dy, by parts. That needs

- q s -> 0 at the ends of the support (Hyvarinen 2007); on half-lines and boxes it may fail: the row "boundary" of
  `kernel.check()`, which is about p times score, since networks here carry the kernel's own score in their tails;
- s without jumps: a kernel whose score jumps (Laplace noise) gives its jump to the network's tail.

Neither is needed by dsm. Both are seen on numbers before training: with t = grad log p(y | x) the mean of
<s, t> + tr ds/dy is zero for every s for which the objective is valid, and for the untrained network it is compared
with its standard error at three levels.

The trace costs as many derivatives as the event has entries, the two estimates one.

Hyvarinen, JMLR 6 (2005), and Computational Statistics & Data Analysis 51 (2007); Hutchinson (1990); Song, Garg, Shi &
Ermon, Sliced score matching (2019), arXiv 1905.07088.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from symdsm.errors import DerivationError, ParameterError, ValidityError
from symdsm.learning.objective import Objective
from symdsm.learning.potentials import Potential, given

__all__ = ["check_by_parts", "ism", "sliced"]

_DRAWS, _DOUBT = 4096, 6.0


def ism(probes: int | None = None) -> Objective:
    """Implicit score matching with the exact trace, or with Hutchinson's estimate from `probes` random directions.

    Raises `ParameterError` for probes below one.
    """
    _at_least_one("probes", probes)

    def loss(potential: Potential, key: PRNGKeyArray, x: Array, u: Array) -> Array:
        noise, directions = jax.random.split(key)
        y = potential.noise.sample(noise, x, u)
        if probes is None:
            score, trace = potential.score(y, u), _trace(potential, y, u)
        else:
            v = jax.random.rademacher(directions, (probes, *y.shape), y.dtype)
            score, bends = _bends(potential, y, u, v)
            trace = jnp.mean(bends)
        return (0.5 * jnp.sum(score**2) + trace) * jnp.exp(-potential.scaling.log_fisher(u))

    return Objective("ism", loss, by_parts=True)


def sliced(projections: int = 1) -> Objective:
    """Sliced score matching along `projections` standard normal directions; `ParameterError` below one."""
    _at_least_one("projections", projections)

    def loss(potential: Potential, key: PRNGKeyArray, x: Array, u: Array) -> Array:
        noise, directions = jax.random.split(key)
        y = potential.noise.sample(noise, x, u)
        v = jax.random.normal(directions, (projections, *y.shape), y.dtype)
        score, bends = _bends(potential, y, u, v)
        along = jnp.sum((v * score).reshape(projections, -1), axis=1)
        return jnp.mean(0.5 * along**2 + bends) * jnp.exp(-potential.scaling.log_fisher(u))

    return Objective("sliced", loss, by_parts=True)


def _at_least_one(name, count):
    if count is not None and not (isinstance(count, int) and count >= 1):
        raise ParameterError(given=f"{name}={count!r}", expected=f"{name} of at least 1", fix=f"pass {name}=1")


def _trace(potential: Potential, y: Array, u: Array) -> Array:
    slopes = jax.jacfwd(lambda v: potential.score(v, u))(y)
    return jnp.trace(slopes.reshape(y.size, y.size))


def _bends(potential: Potential, y: Array, u: Array, v: Array) -> tuple[Array, Array]:
    """The score, and v' (ds/dy) v for each direction."""
    score, along = jax.linearize(lambda y: potential.score(y, u), y)
    return score, jax.vmap(lambda v: jnp.sum(v * along(v)))(v)


def check_by_parts(
    objective: Objective, potential: Potential, data: Array, key: PRNGKeyArray, context: Array | None = None
) -> None:
    """`ValidityError` where integration by parts fails, `DerivationError` on a simplex or a sphere."""
    manifold = getattr(potential.noise.program, "manifold", None)
    if manifold is not None:
        raise DerivationError(
            given=f"objective={objective.name!r} for a kernel on the {manifold}",
            expected="noisy values of the whole space: the trace of the tangent derivative is another one",
            fix='use objective="dsm"',
        )
    levels = potential.noise.levels
    for u in (1.0, 0.5, 0.0) if levels is not None else (0.0,):
        miss = _miss(potential, (data, context), key, u)
        if not miss < _DOUBT:
            raise ValidityError(
                given=f"objective={objective.name!r}, where integration by parts fails by {miss:.0f} standard errors"
                + ("" if levels is None else f" at level {float(levels.at(u)):.4g}"),
                expected="a score without jumps, and a density that vanishes at the ends of its support",
                fix='use objective="dsm", which needs neither',
            )


def _miss(potential: Potential, data: tuple[Array, Array | None], key: PRNGKeyArray, u: float) -> float:
    """|E[<s, t> + tr ds/dy]| of the untrained network in standard errors."""
    rows, draws = jax.random.split(key)
    rows = jax.random.randint(rows, (_DRAWS,), 0, len(data[0]))
    events = jax.tree.map(lambda a: a[rows], data)
    return float(_standardised(potential, jax.random.split(draws, _DRAWS), events, jnp.asarray(u, data[0].dtype)))


@eqx.filter_jit
def _standardised(potential, keys, events, u):
    def one(key, event):
        x, context = event
        noise, directions = jax.random.split(key)
        y, target = potential.noise.target(noise, x, u)
        signs = jax.random.rademacher(directions, (1, *y.shape), y.dtype)
        score, bends = _bends(given(potential, context), y, u, signs)
        return jnp.sum(score * target) + bends[0]

    each = jax.vmap(one)(keys, events)
    return jnp.abs(jnp.mean(each)) / (jnp.std(each) / jnp.sqrt(len(each)) + 1e-30)
