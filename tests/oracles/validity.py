"""Is score matching valid, told by integrals alone: nothing here knows what the checker knows.

For a law p(y | x) on a piece of the line and a test function psi that vanishes at the ends of its range,

    J_ESM(psi) - J_DSM(psi) - C = E[psi score(y | x)] - E[psi D log q(y)]
                                = E_x integral (psi D p(y | x) + psi' p(y | x)) dy,

since integral psi q' = - integral psi' q. The difference is zero for every psi iff the identity holds; it is computed
for five bumps with clean values from a mixture of normal laws (of their exponentials, or of their logistic images).

E score^2 is integrated up to a distance c from every end and singular point (up to 1/c at infinity). What each further
decade of c adds falls geometrically when the integral is finite, and does not when it is infinite.
"""

import warnings

import numpy as np
import sympy as sp

from symdsm.symbolic.nodes import plain

__all__ = ["Law", "gap", "law_of", "plane_gap", "plane_second_moment_is_finite", "second_moment_is_finite"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


class Law:
    """log p(y | x) and its slope as array functions, with the ends of the support as functions of x."""

    def __init__(self, log_density, score, low, high, inside=lambda y, x: True):
        self.log_density, self.score, self.low, self.high = log_density, score, low, high
        self.inside = inside

    def density(self, y, x):
        inside = (y > self.low(x)) & (y < self.high(x)) & self.inside(y, x)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = np.exp(np.real(self.log_density(y, x)))
        return np.where(inside & np.isfinite(value), value, 0.0)

    def slope(self, y, x):
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = np.real(self.score(y, x)) * np.ones_like(y)
        return np.where(np.isfinite(value), value, 0.0)


def law_of(declaration, values: dict) -> Law:
    """The law of a scalar declaration at numbers, from its log density and support only."""
    y, x = declaration.noisy, declaration.clean
    put = {p: sp.Float(values[p.name]) for p in declaration.params}
    log_density = plain(declaration.log_density).xreplace(put)
    slope = sp.diff(log_density, y).replace(sp.DiracDelta, lambda *_: sp.S.Zero)
    ends = _ends(declaration)
    if declaration.period is not None:
        ends = (-declaration.period / 2, declaration.period / 2)
    face = [sp.lambdify(x, plain(e).xreplace(put), "numpy") for e in ends]
    probe = sp.Symbol(y.name, real=True)
    inside = plain(declaration.inside.xreplace(put)).xreplace({probe: y})
    faces = [sp.lambdify([y, x], f, ["scipy", "numpy"]) for f in (log_density, slope, inside)]
    return Law(*faces[:2], *face, faces[2])


def _ends(declaration):
    support = declaration.support
    if support == sp.S.Reals or not hasattr(support, "start"):
        return -sp.oo, sp.oo
    return support.start, support.end


def clean_values(kind: str, n: int = 41):
    """(values, weights) of a mixture of normal laws seen on the line, the half-line or the unit interval."""
    z = np.linspace(-3.0, 3.0, n)
    weights = 0.6 * np.exp(-((z + 0.8) ** 2) / 0.8) + 0.4 * np.exp(-((z - 0.9) ** 2) / 0.5)
    image = {"line": z, "half": np.exp(0.6 * z), "unit": 1 / (1 + np.exp(-z))}[kind]
    return image, weights / weights.sum()


def gap(law: Law, kind: str, inner=lambda x: []) -> float:
    """The largest J_ESM - J_DSM - C over five bumps, relative to the size of its second part.

    `inner` are the singular points at a clean value; panels shrink geometrically towards them and the ends, and no
    bump lies across a point that stands still: there the law has an edge.
    """
    x, weights = clean_values(kind)
    worst = 0.0
    fixed = set(inner(x[3])) & set(inner(x[5]))
    for low, high in _windows(law, x):
        if any(low < p < high for p in fixed):
            continue
        parts = []
        for value in x:
            y, dy = _panels(_refined(low, high, [law.low(value) * 1.0, law.high(value) * 1.0, *inner(value)]))
            u = (2 * y - low - high) / (high - low)
            bump = np.exp(-1 / np.maximum(1 - u**2, 1e-12))
            slope = bump * -2 * u / np.maximum(1 - u**2, 1e-12) ** 2 * 2 / (high - low)
            p = law.density(y, value)
            parts.append((np.sum(dy * bump * p * law.slope(y, value)), np.sum(dy * slope * p),
                          np.sum(dy * np.abs(slope) * p)))  # fmt: skip
        inside, by_parts, size = (np.dot(weights, column) for column in zip(*parts, strict=True))
        if size > 1e-8:
            worst = max(worst, abs(inside + by_parts) / size)
    return worst


def _refined(low, high, points):
    """Edges of panels on (low, high): 80 equal ones, cut ever finer towards the points."""
    small = np.geomspace(1e-11, high - low, 45)
    near = [p + sign * small for p in points if np.isfinite(p) for sign in (-1, 1)]
    edges = np.concatenate([np.linspace(low, high, 81), *near, np.array([p for p in points if np.isfinite(p)])])
    return np.unique(edges[(edges >= low) & (edges <= high)])


def _windows(law, x):
    """Intervals inside the support that is common to all clean values, or anywhere when edges move."""
    low, high = np.array([law.low(v) for v in x]) * 1.0, np.array([law.high(v) for v in x]) * 1.0
    fixed_low, fixed_high = bool(np.all(low == low[0])), bool(np.all(high == high[0]))
    bottom = low[0] if fixed_low and np.isfinite(low[0]) else None
    top = high[0] if fixed_high and np.isfinite(high[0]) else None
    if bottom is not None and top is not None:
        cuts = bottom + (top - bottom) * np.array([0.1, 0.25, 0.5, 0.7, 0.9])
    elif bottom is not None:
        cuts = bottom + np.array([0.15, 0.4, 1.0, 2.0, 4.0])
    elif top is not None:
        cuts = top - np.array([4.0, 2.0, 1.0, 0.4, 0.15])
    else:
        cuts = np.array([-2.1, -0.9, 0.1, 0.8, 2.0])
    return [*zip(cuts, cuts[1:], strict=False), (cuts[0], cuts[-1])]


def _panels(edges):
    """Gauss-Legendre nodes and weights on consecutive panels."""
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * _NODES).ravel(), (half[:, None] * _WEIGHTS).ravel()


def second_moment_is_finite(law: Law, x: float, inner=()) -> bool | None:
    """Whether E score^2 is finite next to every end and every point of `inner`; None when the decades do not tell."""
    points = sorted([law.low(x) * 1.0, *[p for p in inner if law.low(x) < p < law.high(x)], law.high(x) * 1.0])
    answers = []
    for a, b in zip(points, points[1:], strict=False):
        size = (b - a) / 2 if np.isfinite(b - a) else 1.0
        middle = (
            (a + b) / 2 if np.isfinite(b - a) else a + size if np.isfinite(a) else b - size if np.isfinite(b) else 0.0
        )
        for end, way in ((a, 1), (b, -1)):
            if np.isfinite(end):
                place = lambda d, e=end, w=way, s=size: (e + w * s * d, s)  # noqa: E731
            else:
                place = lambda d, m=middle, w=way: (m - w * (1 / d - 1), 1 / d**2)  # noqa: E731
            answers.append(_converges(law, x, place))
    if any(a is False for a in answers):
        return False
    return None if None in answers else True


def _converges(law, x, place):
    added = []
    for k in range(1, 7):
        d, dd = _panels(np.geomspace(10.0 ** -(k + 1), 10.0**-k, 9))
        y, dy = place(d)
        with np.errstate(all="ignore"):
            added.append(np.sum(np.nan_to_num(dd * dy * law.density(y, x) * law.slope(y, x) ** 2, posinf=0.0)))
    total, last, before = sum(added), added[-1], added[-2]
    if last <= 1e-9 * total or total == 0:
        return True
    ratio = last / before
    return True if ratio < 0.75 else False if ratio > 0.93 else None


def plane_gap(log_density, score) -> float:
    """The same difference for a law of two coordinates, derivative in the first; arrays y of shape (.., 2)."""
    centres, weights = np.array([[0.0, 0.0], [0.7, -0.4], [-0.5, 0.9]]), np.array([0.5, 0.3, 0.2])
    worst = 0.0
    for shift in ((-0.9, 0.4), (0.1, -0.8), (-0.33, -0.21)):
        ends = [np.linspace(s, s + 1.3, 41) for s in shift]
        (y1, d1), (y2, d2) = map(_panels, ends)
        y = np.stack(np.meshgrid(y1, y2, indexing="ij"), -1)
        cell = d1[:, None] * d2[None, :]
        u = [(2 * v - e[0] - e[-1]) / (e[-1] - e[0]) for v, e in zip((y1, y2), ends, strict=True)]
        bumps = [np.exp(-1 / np.maximum(1 - v**2, 1e-12)) for v in u]
        first = bumps[0] * -2 * u[0] / np.maximum(1 - u[0] ** 2, 1e-12) ** 2 * 2 / 1.3
        inside = by_parts = size = 0.0
        for x, w in zip(centres, weights, strict=True):
            p = np.exp(log_density(y, x))
            inside += w * np.sum(cell * bumps[0][:, None] * bumps[1] * p * score(y, x)[..., 0])
            by_parts += w * np.sum(cell * first[:, None] * bumps[1] * p)
            size += w * np.sum(cell * np.abs(first[:, None]) * bumps[1] * p)
        worst = max(worst, abs(inside + by_parts) / size)
    return worst


def plane_second_moment_is_finite(log_density, score, x=(0.3, -0.2)) -> bool | None:
    """E |score|^2 of a law in the plane, in decades of the radius around the clean value."""
    x = np.asarray(x)
    angle, turn = _panels(np.linspace(0.1, 0.1 + 2 * np.pi, 49))
    direction = np.stack([np.cos(angle), np.sin(angle)], -1)
    answers = []
    for way in (-1, 1):
        added = []
        for k in range(0, 6):
            r, dr = _panels(np.geomspace(10.0 ** (way * k), 10.0 ** (way * (k + 1)), 13))
            y = x + r[:, None, None] * direction
            with np.errstate(all="ignore"):
                f = np.nan_to_num(np.exp(log_density(y, x)) * np.sum(score(y, x) ** 2, -1), posinf=0.0)
            added.append(abs(np.sum(dr[:, None] * r[:, None] * turn * f)))
        total, last, before = sum(added), added[-1], added[-2]
        small = last <= 1e-9 * total
        answers.append(True if small or last < 0.75 * before else False if last > 0.8 * before else None)
    return False if False in answers else None if None in answers else True
