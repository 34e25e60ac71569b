r"""Draws and means under a one-dimensional density of which only the logarithm is known.

The support is mapped to the line, y = y(t), and the line to itself around the mode, so that integrable edges,
heavy tails and narrow peaks all become smooth bumps in tau:

    line  y = t        (low, oo)  y = low + e^t        (low, high)  y = low + (high - low) / (1 + e^-t)
    t = m + w sinh(tau)                    m the mode of the density of t, w its width there

    h(tau) = f(y) |dy/dt| w cosh(tau),     F(tau) = integral of h up to tau

h is interpolated by quartics on panels; the panels where Simpson's and Boole's rules differ most are halved until
they agree, so kinks and jumps get small panels. A panel whose parabola promises a higher peak than its nodes show is
halved too, so a second narrow mode is not missed. A draw solves F(tau) = u F(oo) on one panel, without the density.

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
_ROUNDS, _SPLITS = 60, 2


def inverse_cdf(u, log_density, low, high, start):
    """The quantile at u of the density exp(log_density(y)) / Z on (low, high); `start` is any point inside.

    u, low, high and start are scalars, `log_density` maps a scalar to a scalar; infinite ends are Python floats.
    The distribution function is met to about 1e-7 in float64 and 1e-6 in float32. No gradient passes through.
    """
    u = jnp.asarray(u)
    to_y, log_slope, centre, reach = _coordinate(low, high, jnp.asarray(start, u.dtype))

    def log_h(t):
        return _finite(log_density(to_y(t)) + log_slope(t))

    mode, width = _mode_and_width(log_h, centre, reach)
    left, size, values = _panels(lambda tau: log_h(mode + width * jnp.sinh(tau)) + _log_cosh(tau), u.dtype)
    tau = _solve(u, left, size, values)
    y = to_y(mode + width * jnp.sinh(tau))
    return jnp.clip(y, low, high)


def mean_square(log_density, score, low, high, start):
    """E[score(y)^2] under the density exp(log_density(y)) / Z on (low, high); inf where the integral diverges."""
    start = jnp.asarray(start, jnp.result_type(start, 0.0))
    to_y, log_slope, centre, reach = _coordinate(low, high, start)

    def log_h(t):
        return _finite(log_density(to_y(t)) + log_slope(t))

    def log_parts(t):
        y = to_y(t)
        weight = _finite(log_density(y) + log_slope(t))
        return jnp.stack([weight, _finite(weight + 2 * jnp.log(jnp.abs(score(y))))])

    mode, width = _mode_and_width(log_h, centre, reach)

    def nodes(tau):
        return jax.vmap(lambda v: log_parts(mode + width * jnp.sinh(v)) + _log_cosh(v))(tau.reshape(-1))

    _, size, values = _panels_of_pair(nodes, start.dtype)
    top = jnp.max(values, axis=(0, 1), keepdims=True)
    total = jnp.sum(
        size[:, None] * jnp.einsum("pnc,n->pc", jnp.exp(values - top), jnp.asarray(_BOOLE)), axis=0
    )
    return total[1] / total[0] * jnp.exp(top[0, 0, 1] - top[0, 0, 0])


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


def _log_cosh(tau):
    return jnp.abs(tau) + jnp.log1p(jnp.exp(-2 * jnp.abs(tau))) - jnp.log(2.0)


def _is_infinite(end) -> bool:
    return isinstance(end, float) and end in (float("inf"), float("-inf"))


def _coordinate(low, high, start):
    """y(t), log dy/dt, t at the start, and how far to look for the mode in asinh(t)."""
    below, above = not _is_infinite(low), not _is_infinite(high)
    if below and above:
        span = high - low

        def to_y(t):
            return jnp.where(t < 0, low + span * jax.nn.sigmoid(t), high - span * jax.nn.sigmoid(-t))

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
    grid = centre + jnp.sinh(jnp.linspace(-reach, reach, 25, dtype=centre.dtype))
    at = jnp.argmax(jax.vmap(log_h)(grid))
    a, m, b = grid[jnp.maximum(at - 1, 0)], grid[at], grid[jnp.minimum(at + 1, 24)]

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
    fallen = (jax.vmap(log_h)(mode + steps) < peak - 1) & (jax.vmap(log_h)(mode - steps) < peak - 1)
    width = jnp.where(fallen.any(), steps[jnp.argmax(fallen)], jnp.ones_like(mode))
    return mode, width


def _panels(log_h, dtype):
    left, size, values = _panels_of_pair(lambda tau: jax.vmap(log_h)(tau.reshape(-1))[:, None], dtype)
    return left, size, values[..., 0]


def _panels_of_pair(nodes, dtype):
    """Panels (left end, size, log values at five nodes), halved until the rules agree; unused ones have size 0."""
    edges = jnp.asarray([*[-e for e in _EDGES[:0:-1]], *_EDGES], dtype)
    first = edges.size - 1
    room = first + _ROUNDS * _SPLITS
    quarter = jnp.arange(5, dtype=dtype) / 4
    size = jnp.diff(edges)
    values = nodes(edges[:-1, None] + size[:, None] * quarter).reshape(first, 5, -1)
    parts = values.shape[-1]
    left = jnp.full(room, _EDGES[-1], dtype).at[:first].set(edges[:-1])
    size = jnp.zeros(room, dtype).at[:first].set(size)
    values = jnp.full((room, 5, parts), -jnp.inf, dtype).at[:first].set(values)
    tolerance = jnp.maximum(1e-9, 4 * jnp.finfo(dtype).eps)
    boole, simpson = jnp.asarray(_BOOLE, dtype), jnp.asarray(_SIMPSON, dtype)

    def doubt(size, values):
        """How much of the total each panel may be wrong by, and the same for a peak between its nodes."""
        top = jnp.max(values, axis=(0, 1))
        h = jnp.exp(values - jnp.where(jnp.isfinite(top), top, 0.0))
        mass = size[:, None] * jnp.einsum("pnc,n->pc", h, boole)
        error = jnp.abs(mass - size[:, None] * jnp.einsum("pnc,n->pc", h, simpson))
        promised = size[:, None] * jnp.exp(jnp.minimum(_promise(values) - top, 3.0))
        error = jnp.maximum(error, jnp.where(promised > 4 * size[:, None] * h.max(1), promised, 0.0))
        return jnp.max(error / jnp.sum(mass, axis=0), axis=1)

    def more(state):
        count, left, size, values = state
        return (count + _SPLITS <= room) & (jnp.sum(doubt(size, values)) > tolerance)

    def halve(state):
        count, left, size, values = state
        _, chosen = jax.lax.top_k(doubt(size, values), _SPLITS)
        a, half, old = left[chosen], size[chosen] / 2, values[chosen]
        odd = a[:, None] + half[:, None] * jnp.asarray([0.25, 0.75, 1.25, 1.75], dtype)
        new = nodes(odd).reshape(_SPLITS, 4, parts)
        one = jnp.stack([old[:, 0], new[:, 0], old[:, 1], new[:, 1], old[:, 2]], axis=1)
        two = jnp.stack([old[:, 2], new[:, 2], old[:, 3], new[:, 3], old[:, 4]], axis=1)
        fresh = count + jnp.arange(_SPLITS)
        left = left.at[fresh].set(a + half)
        size = size.at[chosen].set(half).at[fresh].set(half)
        values = values.at[chosen].set(one).at[fresh].set(two)
        return count + _SPLITS, left, size, values

    _, left, size, values = jax.lax.while_loop(more, halve, (jnp.asarray(first), left, size, values))
    return left, size, values


def _promise(values):
    """The top of the parabola through the highest inner node and its neighbours; -inf where it is not higher."""
    a, b, c = values[:, :-2], values[:, 1:-1], values[:, 2:]
    bend = a - 2 * b + c
    ok = (bend < 0) & jnp.isfinite(a) & jnp.isfinite(b) & jnp.isfinite(c) & (b >= a) & (b >= c)
    top = b - (c - a) ** 2 / (8 * jnp.where(ok, bend, -1.0))
    return jnp.max(jnp.where(ok, top, -jnp.inf), axis=1)


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
