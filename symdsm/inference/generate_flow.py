r"""The probability flow: draws without noise on the way, and the exact log density.

With V the flow in z (inference/generate_source.py), dz/du = V(z, u) carries q at u = 1 to q at u = 0, and along it

    d/du log q_z(z(u); u) = -div V(z(u), u),
    log q(y; u0) = log q(y(1); 1) + integral over [u0, 1] of div V du + log |dz/dy|        (Chen et al. 2018)

Only the score enters, so for a fitted energy this is a second density, independent of the constants of the first:
where the two disagree, the energy's gradients in y and in the level contradict each other. At u = 1 the density is that
of the examples seen through the kernel, log mean_i p(y | x_i; lam(1)), known because the noise there hides all detail.
Given a context it is the same law, of all contexts together, which asks for noise that hides the context, too.

The divergence is the trace of the Jacobian, column by column, d Jacobian-vector products; or its unbiased estimate
mean_k e_k' J e_k with signs e_k fixed along the path (Hutchinson 1990; Grathwohl et al. 2019), whose spread over k
gives the standard error. Differential equations are solved by Diffrax, by default with Tsitouras' 5(4) pair and an
adaptive step for each draw. A solution that was not reached is reported with the level where it stopped.

Sources: Chen et al., Neural ordinary differential equations, arXiv 1806.07366; Grathwohl et al., FFJORD, arXiv
1810.01367; Song et al., arXiv 2011.13456, appendix D (2021).
"""

from typing import ClassVar

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PRNGKeyArray

from symdsm.errors import ParameterError, ShapeError
from symdsm.inference.generate_source import Source

__all__ = ["ProbabilityFlow", "carry", "flow_log_prob", "flow_log_prob_estimate"]

_MARKS, _MOST_STEPS = 64, 4096


def _tolerances(rtol: float | None, atol: float | None, dtype) -> tuple[float, float]:
    single = jnp.finfo(dtype).bits == 32
    return rtol or (1e-4 if single else 1e-6), atol or (1e-5 if single else 1e-7)


def carry(field, state, u0: ArrayLike, u1: ArrayLike, method: "ProbabilityFlow"):
    """(state at u1, lost) for d state/du = field(u, state); lost is the coordinate that was not reached, or NaN."""
    leaf = jax.tree.leaves(state)[0]
    marks = jnp.linspace(u0, u1, _MARKS + 1)[1:]
    rtol, atol = _tolerances(method.rtol, method.atol, leaf.dtype)
    if method.steps is None:
        control, most = dfx.PIDController(rtol=rtol, atol=atol), _MOST_STEPS
    else:
        control, most = dfx.StepTo(jnp.linspace(u0, u1, method.steps + 1)), method.steps + 1
    solution = dfx.diffeqsolve(
        dfx.ODETerm(lambda u, y, args: field(u, y)),
        method.solver,
        u0,
        u1,
        None if method.steps is not None else (u1 - u0) / 100,
        state,
        stepsize_controller=control,
        saveat=dfx.SaveAt(subs=[dfx.SubSaveAt(t1=True), dfx.SubSaveAt(ts=marks, fn=lambda u, y, args: _finite(y))]),
        max_steps=most,
        throw=False,
    )
    end, reached = jax.tree.map(lambda a: a[-1], solution.ys[0]), solution.ys[1] == 1.0
    lost = marks[jnp.argmin(reached)]
    return end, jnp.where(jnp.all(reached) & (_finite(end) == 1.0), jnp.nan, lost)


def _finite(y) -> Array:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(a)) for a in jax.tree.leaves(y)])).astype(float)


class ProbabilityFlow(eqx.Module):
    """dz/du = V from u = 1 to 0. Adaptive when `steps` is None, else that many equal steps of `solver`."""

    needs: ClassVar[tuple[str, ...]] = ("score", "levels", "diffusion")
    inpaints: ClassVar[bool] = False
    steps: int | None = None
    solver: dfx.AbstractSolver = dfx.Tsit5()
    rtol: float | None = None
    atol: float | None = None

    def draw(self, source: Source, key: PRNGKeyArray, n: int) -> tuple[Array, Array]:
        """(z, lost) of n draws at the least noise."""
        z = source.start(key, n, jnp.ones(()))

        def one(z, context):
            alone = eqx.tree_at(lambda s: s.context, source, context, is_leaf=lambda v: v is None)
            return carry(lambda u, z: alone.flow(z, u), z, 1.0, 0.0, self)

        return jax.vmap(one, (0, None if source.context is None else 0))(z, source.context)


def flow_log_prob(
    fit,
    x: ArrayLike,
    *,
    level: float | None = None,
    context: ArrayLike | None = None,
    method: ProbabilityFlow | None = None,
) -> Array:
    """log q(x; level) of the fit's score by its probability flow, with the exact trace; the shape of the batch.

    **Arguments**: `x` of shape (*batch, *event); `level`, the lowest trained one by default; `context` as in training,
    one for each x or one for all; `method`, a `ProbabilityFlow` with other tolerances, solver or steps. The cost grows
    like the square of the event's size: `flow_log_prob_estimate` costs less in high dimension.

    **Raises** `SamplingError` for a fit whose kernel has no flow, or where the solver did not arrive (with the level),
    `ShapeError`, `ParameterError`.
    """
    value, _ = _log_prob(fit, x, level, context, method, None)
    return value


def flow_log_prob_estimate(
    fit,
    x: ArrayLike,
    key: PRNGKeyArray,
    *,
    probes: int = 8,
    level: float | None = None,
    context: ArrayLike | None = None,
    method: ProbabilityFlow | None = None,
) -> tuple[Array, Array]:
    """(log q, standard error), the trace estimated from `probes` vectors of signs for each x; else as `flow_log_prob`.

    The error is that of the trace alone. Raises `ParameterError` for fewer than 2 probes.
    """
    if probes < 2:
        raise ParameterError(
            given=f"probes={probes}", expected="at least 2, so that their spread gives an error", fix="pass probes=8"
        )
    value, spread = _log_prob(fit, x, level, context, method, lambda rows: jax.random.split(key, (rows, probes)))
    return value, spread / jnp.sqrt(probes)


def _log_prob(fit, x, level, context, method, probes):
    from symdsm.inference.generate import admit, lost_at, trained_in

    method = ProbabilityFlow() if method is None else method
    admit("probability-flow", method, fit, {})
    inner = trained_in(fit)
    dtype = inner.examples.dtype
    x, ndim = jnp.asarray(x, dtype), len(fit.event_shape)
    batch, event = x.shape[: x.ndim - ndim], x.shape[x.ndim - ndim :]
    if event != tuple(fit.event_shape) or x.ndim < ndim:
        raise ShapeError(
            given=f"an array of shape {x.shape}",
            expected=f"(*batch, {', '.join(map(str, fit.event_shape))})",
            fix="put batch axes in front and keep the event's axes last",
        )
    u0 = jnp.zeros((), dtype) if level is None else inner.levels.coordinate(jnp.asarray(level, dtype))
    if not (-1e-6 <= float(u0) < 1):
        raise ParameterError(
            given=f"level={level}", expected=f"a level within {inner.levels}", fix="leave it out for the least noise"
        )
    flat = x.reshape((-1, *event))
    if context is not None:
        shape = inner.context_shape
        context = jnp.broadcast_to(jnp.asarray(context, dtype), batch + shape).reshape((-1, *shape))
    source = Source.of(inner)
    if inner is not fit:
        jacobian = jax.vmap(fit.coordinates.log_slope)(flat)
        flat = jax.vmap(fit.coordinates.forward)(flat)
    else:
        jacobian = jnp.zeros(len(flat), dtype)
    own = None if probes is None else probes(len(flat))
    value, spread, lost = _of_batch(source, flat, context, jnp.maximum(u0, 0.0), own, method)
    lost_at(source, lost, value + jacobian, "the probability flow")
    return (value + jacobian).reshape(batch), spread.reshape(batch)


@eqx.filter_jit
def _of_batch(source: Source, x: Array, context, u0: Array, probes, method: ProbabilityFlow):
    """(log q, sd over the probes, lost) of each row."""

    def one(x, context, probes):
        alone = eqx.tree_at(lambda s: s.context, source, context, is_leaf=lambda v: v is None)

        def field(u, state):
            z, _ = state
            return alone.flow(z, u), _divergences(lambda z: alone.flow(z, u), z, probes)

        z = source.line.coordinate(x)
        start = (z, jnp.zeros(() if probes is None else (len(probes),), x.dtype))
        (end, gained), lost = carry(field, start, u0, 1.0, method)
        y, slope, _ = source.line.slopes(end)
        _, here, _ = source.line.slopes(z)
        value = _at_most_noise(source, y) + jnp.sum(jnp.log(jnp.abs(slope))) - jnp.sum(jnp.log(jnp.abs(here)))
        spread = jnp.zeros((), x.dtype) if probes is None else jnp.std(gained, ddof=1)
        return value + jnp.mean(gained), spread, lost

    rows = [None if a is None else 0 for a in (context, probes)]
    return jax.vmap(one, (0, *rows))(x, context, probes)


def _divergences(flow, z: Array, probes: Array | None) -> Array:
    """div of the flow at z: the trace, or e' J e for each probe."""
    if probes is None:
        size = z.size
        return jnp.trace(jax.jacfwd(flow)(z).reshape(size, size))

    def along(key):
        e = jax.random.rademacher(key, z.shape, z.dtype)
        return jnp.sum(e * jax.jvp(flow, (z,), (e,))[1])

    return jax.vmap(along)(probes)


def _at_most_noise(source: Source, y: Array) -> Array:
    """log mean_i p(y | x_i) at the most noise over the examples."""
    params = source.params(jnp.ones((), y.dtype))
    parts = jax.vmap(lambda x: jnp.sum(source.program.log_prob(y, x, **params)))(source.fit.examples)
    return jax.nn.logsumexp(parts) - jnp.log(len(source.fit.examples))
