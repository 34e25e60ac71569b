r"""Integrals in panels that are halved where they are not yet exact, and the inverse of such an integral.

The integrand, given by its logarithm, is interpolated by a quartic on each panel. The panels where Simpson's and
Boole's rules differ most are halved until they agree, so that kinks and jumps get small panels. A node that stands out
from both neighbours marks a narrow peak whose height is not known yet: its panels are halved first, so that a second
mode is found wherever a node feels it. Everything has a fixed size, so that it can be compiled and mapped.

The first panels are even in tau, 0.4 wide to both sides of the mode, where y - m grows like e^tau: the nodes lie closer
than a tenth of their distance from the mode. Far out they grow, up to the largest number.

Reference: Davis and Rabinowitz, Methods of Numerical Integration (1984), chapter 6.
"""

import jax
import jax.numpy as jnp

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
_NEAR = (*(0.4 * k for k in range(20)), *(8.0 + 0.8 * k for k in range(10)))
_FAR = (16.0, 20.0, 25.0, 32.0, 42.0, 56.0, 72.0, 84.0)
_VERY_FAR = (110.0, 150.0, 210.0, 300.0, 420.0, 560.0, 700.0)
_ROUNDS, _SPLITS = 60, 8


def _panels(log_parts, parts, dtype, marks=()):
    """Left ends, sizes, log values (panel, part, node) of panels fine enough for every part, and the doubt left.

    Unused panels have size 0. The doubt is the difference of the two rules, summed, as a share of the integral.

    `log_parts` maps tau to the logarithms of `parts` integrands, the first of which is the density. `marks` are values
    of tau that become ends of panels, so that a peak there is seen, however narrow; a mark that is no number is none.
    """
    right = _NEAR + _FAR + (_VERY_FAR if jnp.finfo(dtype).maxexp > 1000 else ())
    edges = jnp.asarray([*[-e for e in right[:0:-1]], *right], dtype)
    if marks:
        own = jnp.clip(jnp.stack(marks), edges[0], edges[-1])
        edges = jnp.sort(
            jnp.concatenate([edges, jnp.where(jnp.isfinite(own), own, 0.0)])
        )
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

    def error(rows):
        log_mass, log_error = (
            rows[:, 2 : 2 + parts],
            rows[:, 2 + parts : 2 + 2 * parts],
        )
        top = jnp.max(log_mass, axis=0)
        share = jnp.exp(log_error - top) / jnp.sum(jnp.exp(log_mass - top), axis=0)
        return jnp.max(share, axis=1)

    def doubt(rows):
        return jnp.maximum(error(rows), rows[:, -1])

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
    values = rows[:, 2 + 2 * parts : -3].reshape(room, parts, 5)
    return rows[:, 0], rows[:, 1], values, jnp.sum(error(rows))


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
    """tau with F(tau) = u F(oo), and log F(oo): first the panel, then the root of its quintic by halving."""
    order = jnp.argsort(left)
    left, size, values = left[order], size[order], values[order]
    top = jnp.max(values)
    h = jnp.exp(values - top) * size[:, None]
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
    return left[k] + size[k] * (a + b) / 2, top + jnp.log(ends[-1])
