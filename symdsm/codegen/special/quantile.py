r"""Draws and means under a one-dimensional density of which only the logarithm is known.

The support is mapped to the line, y = y(t), and the line to itself around the mode, so that integrable edges,
heavy tails and narrow peaks all become smooth bumps in tau:

    line  y = t        (low, oo)  y = low + e^t        (low, high)  y = low + (high - low) / (1 + e^-t)
    t = m + w sinh(tau)                    m the mode of the density of t, w its width there

    h(tau) = f(y) |dy/dt| w cosh(tau),     F(tau) = integral of h up to tau

h is interpolated by quartics on panels; the panels where Simpson's and Boole's rules differ most are halved until
they agree, so kinks and jumps get small panels. A node that stands out from both neighbours marks a narrow peak
whose height is not known yet: its panels are halved first, so a second mode is found wherever a node feels it.
A draw solves F(tau) = u F(oo) on one panel, without the density.

Everything has a fixed size, so that it can be compiled and mapped; work that does not depend on a mapped argument is
done once. References: Davis and Rabinowitz, Methods of Numerical Integration (1984), chapter 6; Hormann, Leydold and
Derflinger, Automatic Nonuniform Random Variate Generation (2004), chapter 7.
"""

import jax
import jax.numpy as jnp

__all__ = ["entrywise", "inverse_cdf", "mean_square"]

# Coefficients of 1, s, .., s^4 in the quartic through the values at s = 0, 1/4, 1/2, 3/4, 1.
_QUARTIC = (
    (1.0, 0.0, 0.0, 0.0, 0.0),
    (-25 / 3, 16.0, -12.0, 16 / 3, -1.0),
    (70 / 3, -208 / 3, 76.0, -112 / 3, 22 / 3),
    (-80 / 3, 96.0, -128.0, 224 / 3, -16.0),
    (32 / 3, -128 / 3, 64.0, -128 / 3, 32 / 3),
)
_BOOLE = (7 / 90, 32 / 90, 12 / 90, 32 / 90, 7 / 90)
_SIMPSON = (1 / 6, 0.0, 4 / 6, 0.0, 1 / 6)
_EDGES = (0.0, 0.4, 0.8, 1.2, 1.7, 2.4, 3.4, 5.0, 8.0, 14.0, 22.0, 36.0)
_ROUNDS, _SPLITS = 32, 4


def inverse_cdf(u, log_density, low, high, start):
    """The quantile at u of the density exp(log_density(y)) / Z on (low, high); `start` is any point inside.

    u, low, high and start are scalars, `log_density` maps a scalar to a scalar; infinite ends are Python floats.
    The distribution function is met to about 1e-8 in float64 and 1e-6 in float32, as far as y itself can be
    represented. Gradients do not pass through.
    """
    u = jnp.asarray(u)
    to_y, log_slope, centre, reach = _coordinate(low, high, jnp.asarray(start, u.dtype))

    def log_h(t):
        return _finite(log_density(to_y(t)) + log_slope(t))

    mode, width = _mode_and_width(log_h, centre, reach)
    left, size, values = _panels(
        lambda tau: log_h(mode + width * jnp.sinh(tau))[None] + _log_cosh_of(tau),
        1,
        u.dtype,
    )
    tau = _solve(u, left, size, values[:, 0])
    return jnp.clip(to_y(mode + width * jnp.sinh(tau)), low, high)


def mean_square(log_density, score, low, high, start):
    """E[score(y)^2] under the density exp(log_density(y)) / Z on (low, high), to about 1e-8 where it is finite.

    It is inf where score^2 times the density, seen in t, does not fall towards a finite end of the range.
    """
    start = jnp.asarray(start, jnp.result_type(start, 0.0))
    to_y, log_slope, centre, reach = _coordinate(low, high, start)

    def log_h(t):
        return _finite(log_density(to_y(t)) + log_slope(t))

    def log_square(t):
        return _finite(log_h(t) + 2 * jnp.log(jnp.abs(score(to_y(t)))))

    mode, width = _mode_and_width(log_h, centre, reach)

    def log_parts(tau):
        t = mode + width * jnp.sinh(tau)
        return jnp.stack([log_h(t), log_square(t)]) + _log_cosh_of(tau)

    _, size, values = _panels(log_parts, 2, start.dtype)
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
    """y(t), log dy/dt, t at the start, and how far to look for the mode in asinh(t)."""
    below, above = not _is_infinite(low), not _is_infinite(high)
    if below and above:
        span = high - low

        def to_y(t):
            return jnp.where(
                t < 0, low + span * jax.nn.sigmoid(t), high - span * jax.nn.sigmoid(-t)
            )

        def log_slope(t):
            return -jnp.abs(t) - 2 * jnp.log1p(jnp.exp(-jnp.abs(t)))

        return to_y, log_slope, jnp.zeros_like(start), 4.5
    if below:
        return lambda t: low + jnp.exp(t), lambda t: t, jnp.log(start - low), 5.5
    if above:
        return lambda t: high - jnp.exp(-t), lambda t: -t, -jnp.log(high - start), 5.5
    return lambda t: t, jnp.zeros_like, start, 18.0


def _mode_and_width(log_h, centre, reach):
    """The highest of a grid that grows away from the centre, refined; then where log h has fallen by one."""
    grid = centre + jnp.sinh(jnp.linspace(-reach, reach, 49, dtype=centre.dtype))
    at = jnp.argmax(jax.vmap(log_h)(grid))
    a, m, b = grid[jnp.maximum(at - 1, 0)], grid[at], grid[jnp.minimum(at + 1, 48)]

    def refine(_, bracket):
        a, m, b = bracket
        points = jnp.concatenate([jnp.linspace(a, m, 5)[:-1], jnp.linspace(m, b, 5)])
        k = jnp.argmax(jax.vmap(log_h)(points))
        return points[jnp.maximum(k - 1, 0)], points[k], points[jnp.minimum(k + 1, 8)]

    a, mode, b = jax.lax.fori_loop(0, 9, refine, (a, m, b))
    eps = jnp.finfo(centre.dtype).eps
    floor = jnp.maximum(jnp.abs(mode) * 4 * eps, jnp.finfo(centre.dtype).tiny ** 0.5)
    steps = jnp.maximum((b - a) / 4, floor) * 4.0 ** jnp.arange(24, dtype=centre.dtype)
    peak = log_h(mode)
    fallen = (jax.vmap(log_h)(mode + steps) < peak - 1) & (
        jax.vmap(log_h)(mode - steps) < peak - 1
    )
    width = jnp.where(fallen.any(), steps[jnp.argmax(fallen)], jnp.ones_like(mode))
    return mode, width


def _panels(log_parts, parts, dtype):
    """Left ends, sizes and log values (panel, part, node) of panels fine enough for every part; unused: size 0.

    `log_parts` maps tau to the logarithms of `parts` integrands, the first of which is the density.
    """
    edges = jnp.asarray([*[-e for e in _EDGES[:0:-1]], *_EDGES], dtype)
    first = edges.size - 1
    room = first + _ROUNDS * _SPLITS
    size = jnp.diff(edges)
    nodes = edges[:-1, None] + size[:, None] * jnp.arange(5, dtype=dtype) / 4
    values = (
        jax.vmap(log_parts)(nodes.reshape(-1)).reshape(first, 5, parts).swapaxes(1, 2)
    )
    outer = jnp.stack(
        [jnp.roll(values[:, 0, 3], 1), jnp.roll(values[:, 0, 1], -1)], axis=1
    )
    rows = _row(edges[:-1], size, values, outer)
    rest = jnp.full((room - first, rows.shape[1]), -jnp.inf, dtype).at[:, :2].set(0.0)
    tolerance = jnp.maximum(1e-7, 8 * jnp.finfo(dtype).eps)

    def doubt(rows):
        log_mass, log_error, stands_out = (
            rows[:, 2 : 2 + parts],
            rows[:, 2 + parts : 2 + 2 * parts],
            rows[:, -1],
        )
        top = jnp.max(log_mass, axis=0)
        share = jnp.exp(log_error - top) / jnp.sum(jnp.exp(log_mass - top), axis=0)
        return jnp.maximum(jnp.max(share, axis=1), stands_out)

    def more(state):
        count, rows = state
        return (count + _SPLITS <= room) & (jnp.sum(doubt(rows)) > tolerance)

    def halve(state):
        count, rows = state
        chosen = _largest(doubt(rows), _SPLITS)
        old = rows[chosen]
        left, half = old[:, 0], old[:, 1] / 2
        outer, values = (
            old[:, -3:-1],
            old[:, 2 + 2 * parts : -3].reshape(_SPLITS, parts, 5),
        )
        odd = left[:, None] + half[:, None] * jnp.asarray(
            [0.25, 0.75, 1.25, 1.75], dtype
        )
        new = (
            jax.vmap(log_parts)(odd.reshape(-1))
            .reshape(_SPLITS, 4, parts)
            .swapaxes(1, 2)
        )
        at = [values[..., 0], new[..., 0], values[..., 1], new[..., 1], values[..., 2]]
        at += [new[..., 2], values[..., 3], new[..., 3], values[..., 4]]
        lower = _row(
            left, half, jnp.stack(at[:5], -1), jnp.stack([outer[:, 0], new[:, 0, 2]], 1)
        )
        upper = _row(
            left + half,
            half,
            jnp.stack(at[4:], -1),
            jnp.stack([new[:, 0, 1], outer[:, 1]], 1),
        )
        rows = rows.at[chosen].set(lower).at[count + jnp.arange(_SPLITS)].set(upper)
        return count + _SPLITS, rows

    _, rows = jax.lax.while_loop(
        more, halve, (jnp.asarray(first), jnp.concatenate([rows, rest]))
    )
    return rows[:, 0], rows[:, 1], rows[:, 2 + 2 * parts : -3].reshape(room, parts, 5)


def _largest(values, count):
    """Where the largest `count` values are; a few passes cost less than sorting under vmap."""
    at = []
    for _ in range(count):
        at.append(jnp.argmax(values))
        values = values.at[at[-1]].set(-jnp.inf)
    return jnp.stack(at)


def _row(left, size, values, outer):
    """One row per panel: left, size, log mass and log error per part, log values, two outer values, stands out."""
    peak = jnp.max(values, axis=2)
    h = jnp.exp(values - jnp.where(jnp.isfinite(peak), peak, 0.0)[..., None])
    boole, simpson = (h @ jnp.asarray(rule, h.dtype) for rule in (_BOOLE, _SIMPSON))
    scale = (peak + jnp.log(size)[:, None])[..., None]
    logs = scale + jnp.log(jnp.stack([boole, jnp.abs(boole - simpson)], -1))
    line = jnp.concatenate([outer[:, :1], values[:, 0], outer[:, 1:]], axis=1)
    drop = jnp.minimum(line[:, 1:-1] - line[:, :-2], line[:, 1:-1] - line[:, 2:])
    stands_out = jnp.any(drop > 1.5, axis=1).astype(h.dtype)
    columns = [
        left[:, None],
        size[:, None],
        logs[..., 0],
        logs[..., 1],
        values.reshape(size.size, -1),
        outer,
    ]
    return jnp.concatenate([*columns, stands_out[:, None]], axis=1)


def _solve(u, left, size, values):
    """tau with F(tau) = u F(oo): first the panel, then the root of its quintic by halving."""
    order = jnp.argsort(left)
    left, size, values = left[order], size[order], values[order]
    h = jnp.exp(values - jnp.max(values)) * size[:, None]
    mass = h @ jnp.asarray(_BOOLE, h.dtype)
    ends = jnp.cumsum(mass)
    goal = u * ends[-1]
    k = jnp.minimum(jnp.searchsorted(ends, goal, side="right"), left.size - 1)
    rest = goal - (ends[k] - mass[k])
    c = jnp.asarray(_QUARTIC, h.dtype) @ h[k] / jnp.arange(1, 6, dtype=h.dtype)

    def integral(s):
        return s * (c[0] + s * (c[1] + s * (c[2] + s * (c[3] + s * c[4]))))

    def bisect(_, ends):
        a, b = ends
        middle = (a + b) / 2
        low = integral(middle) < rest
        return jnp.where(low, middle, a), jnp.where(low, b, middle)

    zero = jnp.zeros_like(u)
    a, b = jax.lax.fori_loop(0, 50, bisect, (zero, zero + 1))
    return left[k] + size[k] * (a + b) / 2
