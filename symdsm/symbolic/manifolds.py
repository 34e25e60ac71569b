r"""Where an array lives when it does not fill its space: the simplex and the sphere.

    Simplex   {y in R^n: y_i > 0, sum y_i = 1}    p is a density in (y_1, .., y_{n-1}): Lebesgue measure there
    Sphere    {y in R^n: |y| = 1}                 p is a density in the surface measure, total 2 pi^(n/2)/Gamma(n/2)

(Lebesgue measure of the first n - 1 coordinates is the surface measure of the simplex divided by sqrt(n).)

The score is the tangent gradient. A log density is written for y in R^n, in any way that is right on the manifold;
with g its gradient there,

    Simplex   score = (I - 11'/n) g         Sphere   score = (I - y y') g,

the orthogonal projection on the tangent space. It does not depend on how the density was continued off the manifold:
two continuations agree on it, so their gradients agree along every tangent direction. Compiled log densities are
constant across the manifold, so that automatic differentiation gives this score too.

Vincent's identity. Let v be a tangent direction: a fixed v with 1'v = 0 on the simplex; on the sphere the field
v(y) = A y with A = -A', the rotation exp(tA) moving y. Let D_v be the derivative along v. The measure does not depend
on x, so q(y) = integral p(x) p(y|x) dx has D_v q = integral p(x) D_v p(y|x) dx, and

    D_v log q(y) = E[D_v log p(y|x) | y].

These v span the tangent space at every y, so the projected gradients obey the same identity.

What E[score | x] is. By the divergence theorem, with c the outward unit conormal of the facets of the simplex,

    Simplex   E[v'score | x] = sum over facets of integral p (v'c) dS / sqrt(n)     0 where p vanishes on the facets
    Sphere    E[score | x]   = (n - 1) E[y | x]                                     no boundary; the curvature's term

On the sphere the field v = A y has no divergence, so each E[D_v log p | x] is 0 all the same.

Numbers are rarely on a manifold exactly: y counts as on it when sum y_i (or |y|) is within max(1e-6, 10 eps sqrt(n))
of one, eps the machine epsilon of y's type. Elsewhere log p is -inf and the score NaN.

References: K. V. Mardia and P. E. Jupp, "Directional Statistics", 2000, sections 9.1 and 9.3; J. Aitchison, "The
Statistical Analysis of Compositional Data", 1986, chapter 2; P. Vincent, Neural Computation 23, 2011.
"""

import sympy as sp

__all__ = ["Manifold", "Simplex", "Sphere"]


class Manifold(sp.Set):
    """Base of the sets of arrays; `manifold` is its name.

    Implementing one: `manifold`, `_constraint` (the equation), and `projected`, the tangent part of a gradient.
    """

    manifold: str
    is_empty = False
    is_finite_set = False

    def __new__(cls):
        return super().__new__(cls)

    def _sympystr(self, printer):
        return f"{type(self).__name__}()"

    _sympyrepr = _sympystr

    def _contains(self, other):
        entries = tuple(other) if isinstance(other, (sp.Tuple, tuple, sp.MatrixBase)) else None
        return sp.false if entries is None or len(entries) < 2 else self._constraint(entries)


class Simplex(Manifold):
    """Positive arrays (y_1, .., y_n) that add to one, n at least 2 and read from the arrays."""

    manifold = "simplex"

    def _constraint(self, entries):
        return sp.And(sp.Eq(sp.Add(*entries), 1), *(sp.Gt(e, 0) for e in entries))

    @staticmethod
    def projected(gradient, along, y, j, n):
        """(I - 11'/n) g at j; `along(w)` is sum_i w_i g_i."""
        del y, j
        return gradient - along(lambda target: sp.S.One) / n

    def _latex(self, printer):
        return r"\Delta"


class Sphere(Manifold):
    """Arrays (y_1, .., y_n) of Euclidean norm one, n at least 2 and read from the arrays."""

    manifold = "sphere"

    def _constraint(self, entries):
        return sp.Eq(sp.Add(*(e**2 for e in entries)), 1)

    @staticmethod
    def projected(gradient, along, y, j, n):
        """(I - y y') g at j; `along(w)` is sum_i w_i g_i."""
        del n
        return gradient - y[j] * along(lambda target: y[target])

    def _latex(self, printer):
        return r"\mathbb{S}"
