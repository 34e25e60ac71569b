r"""Draws and means under a one-dimensional density of which only the logarithm is known.

The support is mapped to the line, y = y(t), and the line to itself around the mode, so that integrable edges,
heavy tails and narrow peaks all become smooth bumps in tau:

    line  y = t        (low, oo)  y = low + e^t        (low, high)  y = low + (high - low) / (1 + e^-t)
    t = m + w sinh(tau)                    m the mode of the density of t, w its width there

    h(tau) = f(y) |dy/dt| w cosh(tau),     F(tau) = integral of h up to tau

h is integrated and its integral inverted in panels (panels.py), without the density once these are made. Next to a
finite end, where floats no longer tell the distance, and below the smallest number log h is continued as a straight
line in t, which an algebraic end is.

Everything has a fixed size, so that it can be compiled and mapped; work that does not depend on a mapped argument is
done once. References: Davis and Rabinowitz, Methods of Numerical Integration (1984), chapter 6; Hormann, Leydold and
Derflinger, Automatic Nonuniform Random Variate Generation (2004), chapter 7.
"""

import jax
import jax.numpy as jnp

from .panels import _BOOLE, _panels, _solve

__all__ = ["entrywise", "inverse_cdf", "mean_square"]

_UNSURE = 1e-6  # the share of the mass above which no draw is given, in float64


def inverse_cdf(u, log_density, low, high, start, places=(), log_mass=None):
    """The quantile at u of the density exp(log_density(y)) / Z on (low, high); `start` is any point inside.

    u, low, high and start are scalars, `log_density` maps a scalar to a scalar; infinite ends are Python floats.
    `places` are points at which the density may have a mode, however narrow, and `log_mass` is log Z, where they are
    known. The distribution function is met to about 1e-8 in float64 and 1e-6 in float32, as far as y itself can be
    represented. NaN where more than 1e-6 of the mass is not settled: in tails beyond the largest number, or at a
    pole between the ends; and where the mass that was found differs from `log_mass` by more than 1e-4 of it, since
    then a mode was missed (1e-2 in float32, and the rounding of `log_mass` itself). Gradients do not pass through.
    """
    u = jnp.asarray(u)
    to_y, log_slope, centre, powers, ends = _coordinate(
        low, high, jnp.asarray(start, u.dtype)
    )
    from_y = _inverse_coordinate(low, high)

    def resolved(t):
        return _finite(log_density(to_y(t)) + log_slope(t))

    log_h, tails = _continued(resolved, ends, _is_infinite(low), _is_infinite(high))
    mode, width = _mode_and_width(log_h, centre, powers)

    def log_part(tau):
        return log_h(mode + width * jnp.sinh(tau))[None] + _log_cosh_of(tau)

    marks = tuple(
        jnp.arcsinh((from_y(jnp.asarray(p, u.dtype)) - mode) / width) for p in places
    )
    left, size, values, doubt = _panels(log_part, 1, u.dtype, marks)
    tau, log_total = _solve(u, left, size, values[:, 0])
    log_total = log_total + jnp.log(width)
    unsure = doubt / 10 + tails(log_total)
    y = jnp.clip(to_y(mode + width * jnp.sinh(tau)), low, high)
    eps = jnp.finfo(u.dtype).eps
    settled = unsure < jnp.maximum(_UNSURE, 200 * eps)
    if log_mass is not None:
        rounding = jnp.maximum(1e-4, 1e5 * eps) + 1e3 * eps * jnp.abs(log_mass)
        settled &= jnp.abs(log_total - log_mass) < rounding
    return jnp.where(settled, y, jnp.nan)


def _continued(log_h, ends, below, above):
    """log h continued beyond both ends as a straight line in t, and the mass that this leaves unsettled.

    Towards a finite end of the support an algebraic density is such a line exactly. What is unsettled is the mass
    beyond the end times the relative change of the line's slope; all of it where the support has no end, since no
    number can stand for such a draw.
    """
    at, way = jnp.stack(ends), jnp.asarray([1.0, -1.0], ends[0].dtype)
    near, far = jax.vmap(log_h)(at + way), jax.vmap(log_h)(at + 3 * way)
    edge = jax.vmap(log_h)(at)
    slope = near - edge
    real = jnp.isfinite(slope) & jnp.isfinite(edge)
    fall = jnp.where(real & (slope > 0), slope, jnp.inf)
    change = jnp.where(real, jnp.abs((far - near) / 2 - slope) / fall, 0.0)

    def whole(t):
        beyond = jnp.maximum(at[0] - t, t - at[1])
        steep = jnp.where(t < at[0], fall[0], fall[1])
        value = log_h(jnp.clip(t, at[0], at[1]))
        return jnp.where(beyond > 0, value - steep * jnp.maximum(beyond, 0), value)

    def unsettled(log_total):
        """The share of the total mass; on the line at most that of h = 1 / (t log^2 t)."""
        far_out = jnp.log(jnp.abs(at))
        reach = far_out + jnp.log(far_out) if below and above else -jnp.log(fall)
        lost = jnp.where(real, jnp.exp(edge - log_total + reach), 0.0)
        part = [
            1.0 if open_ else jnp.minimum(c, 1.0)
            for open_, c in zip((below, above), change, strict=True)
        ]
        return lost[0] * part[0] + lost[1] * part[1]

    return whole, unsettled


def mean_square(log_density, score, low, high, start, places=()):
    """E[score(y)^2] under the density exp(log_density(y)) / Z on (low, high), to about 1e-8 where it is finite.

    `places` are as in `inverse_cdf`. It is inf where score^2 times the density, seen in t, does not fall towards a
    finite end of the range.
    """
    start = jnp.asarray(start, jnp.result_type(start, 0.0))
    to_y, log_slope, centre, powers, _ = _coordinate(low, high, start)
    from_y = _inverse_coordinate(low, high)

    def log_h(t):
        return _finite(log_density(to_y(t)) + log_slope(t))

    def log_square(t):
        return _finite(log_h(t) + 2 * jnp.log(jnp.abs(score(to_y(t)))))

    mode, width = _mode_and_width(log_h, centre, powers)

    def log_parts(tau):
        t = mode + width * jnp.sinh(tau)
        return jnp.stack([log_h(t), log_square(t)]) + _log_cosh_of(tau)

    marks = tuple(
        jnp.arcsinh((from_y(jnp.asarray(p, start.dtype)) - mode) / width)
        for p in places
    )
    _, size, values, _ = _panels(log_parts, 2, start.dtype, marks)
    peak = jnp.max(values, axis=(0, 2))
    h = jnp.exp(values - peak[:, None])
    total = size @ (h @ jnp.asarray(_BOOLE, h.dtype))
    mean = total[1] / total[0] * jnp.exp(peak[1] - peak[0])
    far, near = (
        0.6 * jnp.log(jnp.finfo(start.dtype).eps),
        0.45 * jnp.log(jnp.finfo(start.dtype).eps),
    )
    ways = [1.0] * (not _is_infinite(low)) + [-1.0] * (not _is_infinite(high))
    for way in ways:
        at_far, at_near = log_square(way * far), log_square(way * near)
        stays = jnp.isfinite(at_near) & (at_far > at_near - 1e-3 * jnp.abs(far - near))
        mean = jnp.where(stays, jnp.inf, mean)
    return mean


def entrywise(function, *arguments):
    """function of scalars -> scalar, over the common shape of the arguments, in blocks that bound the memory.

    Arguments with one entry are not mapped, so that what depends on them alone is computed once.
    """
    shape = jnp.broadcast_shapes(*[jnp.shape(a) for a in arguments])
    mapped = [k for k, a in enumerate(arguments) if jnp.size(a) > 1]
    fixed = [jnp.reshape(a, ()) if jnp.size(a) == 1 else None for a in arguments]
    if not mapped:
        return jnp.broadcast_to(function(*fixed), shape)
    rows = tuple(jnp.broadcast_to(arguments[k], shape).reshape(-1) for k in mapped)

    def one(row):
        values = list(fixed)
        for k, v in zip(mapped, row, strict=True):
            values[k] = v
        return function(*values)

    if len(mapped) == 1:
        return jax.vmap(one)(rows).reshape(shape)
    return jax.lax.map(one, rows, batch_size=1024).reshape(shape)


def _finite(value):
    """-inf where the log density is not a number or infinite: such points get no weight."""
    return jnp.where(jnp.isfinite(value), value, -jnp.inf)


def _log_cosh_of(tau):
    return jnp.abs(tau) + jnp.log1p(jnp.exp(-2 * jnp.abs(tau))) - jnp.log(2.0)


def _is_infinite(end) -> bool:
    return isinstance(end, float) and end in (float("inf"), float("-inf"))


def _coordinate(low, high, start):
    """y(t), log dy/dt, t at the start, the powers of ten of t to search, and where y is resolved.

    Beyond the two last values y is rounded to an end of the support, or too large for its type.
    """
    info = jnp.finfo(start.dtype)
    below, above = not _is_infinite(low), not _is_infinite(high)
    largest = 0.98 * jnp.log(jnp.asarray(info.max))

    def smallest(end):
        """log of the distance from the end at which floats still tell distances well."""
        return jnp.log(jnp.maximum(info.eps**0.6 * jnp.abs(end), 8 * info.tiny))

    if below and above:
        span = high - low

        def to_y(t):
            return jnp.where(
                t < 0, low + span * jax.nn.sigmoid(t), high - span * jax.nn.sigmoid(-t)
            )

        def log_slope(t):
            fall = jnp.abs(t) + 2 * jnp.log1p(jnp.exp(-jnp.abs(t)))
            return jnp.log(span) - fall

        ends = smallest(low) - jnp.log(span), jnp.log(span) - smallest(high)
        ends = jnp.minimum(ends[0], -1.0), jnp.maximum(ends[1], 1.0)
        return to_y, log_slope, jnp.zeros_like(start), (-10.0, 2.8), ends
    if below:
        to_y, log_slope, centre = (
            lambda t: low + jnp.exp(t),
            lambda t: t,
            jnp.log(start - low),
        )
        return to_y, log_slope, centre, (-10.0, 2.8), (smallest(low), largest)
    if above:
        to_y, log_slope, centre = (
            lambda t: high - jnp.exp(-t),
            lambda t: -t,
            -jnp.log(high - start),
        )
        return to_y, log_slope, centre, (-10.0, 2.8), (-largest, -smallest(high))
    whole = jnp.asarray(info.max) / 4
    return lambda t: t, jnp.zeros_like, start, (-32.0, 32.0), (-whole, whole)


def _inverse_coordinate(low, high):
    """y -> t, the inverse of the first of `_coordinate`."""
    below, above = not _is_infinite(low), not _is_infinite(high)
    if below and above:
        return lambda y: jnp.log(y - low) - jnp.log(high - y)
    if below:
        return lambda y: jnp.log(y - low)
    return (lambda y: -jnp.log(high - y)) if above else (lambda y: y)


def _mode_and_width(log_h, centre, powers):
    """The highest of a grid that grows away from the centre, refined; then where log h has fallen by one."""
    steps = 10.0 ** jnp.linspace(*powers, 65, dtype=centre.dtype)
    grid = centre + jnp.concatenate([-steps[::-1], jnp.zeros(1, steps.dtype), steps])
    at = jnp.argmax(jax.vmap(log_h)(grid))
    last = grid.size - 1
    a, m, b = grid[jnp.maximum(at - 1, 0)], grid[at], grid[jnp.minimum(at + 1, last)]

    def refine(_, bracket):
        a, m, b = bracket
        points = jnp.concatenate([jnp.linspace(a, m, 5)[:-1], jnp.linspace(m, b, 5)])
        k = jnp.argmax(jax.vmap(log_h)(points))
        return points[jnp.maximum(k - 1, 0)], points[k], points[jnp.minimum(k + 1, 8)]

    a, mode, b = jax.lax.fori_loop(0, 26, refine, (a, m, b))
    floor = jnp.maximum(jnp.abs(mode) * 4 * jnp.finfo(centre.dtype).eps, 1e-33)
    steps = floor * 4.0 ** jnp.arange(112, dtype=centre.dtype)
    steps = jnp.minimum(steps, jnp.finfo(centre.dtype).max / 8)
    peak = log_h(mode)
    right, left = jax.vmap(log_h)(mode + steps), jax.vmap(log_h)(mode - steps)
    fallen = (right < peak - 1) & (left < peak - 1)
    width = jnp.where(fallen.any(), steps[jnp.argmax(fallen)], jnp.ones_like(mode))
    return mode, width
