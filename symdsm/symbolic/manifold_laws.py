r"""Which known law is a density on a manifold? It is read off the gradient g of its log density in y.

    Dirichlet           y_i g_i = a_i - 1 is free of y
                        log p = sum (a_i - 1) log y_i + log Gamma(sum a_i) - sum log Gamma(a_i)
    logistic-normal     in u = log y the function l(u) = log p + sum u_i is quadratic and does not change when a
                        constant is added to u, so that it is a Gaussian on u modulo constants:
                        y = softmax(u), u ~ Normal(m, H^+), H = -l'' with H 1 = 0
    von Mises-Fisher    g_i = e_i - c y_i (on the sphere c y has no part along it)
                        log p = e'y + (n/2 - 1) log k - (n/2) log(2 pi) - log I_{n/2-1}(k),  k = |e|

On the simplex dy_1 .. dy_{n-1} = prod y_i du_1 .. du_{n-1} for u modulo constants with u_n fixed, which is why
sum u_i joins log p. The Dirichlet and von Mises-Fisher densities are written with their normaliser, whatever
normaliser was given. A logistic-normal density keeps its own; its mass is the Gaussian integral over the n - 1
coordinates of an orthonormal basis of 1'u = 0, times sqrt(n).

Large concentrations: with A = sum a_i, g(u) = e^u - 1 - u and Stirling's remainder e(a) = log Gamma(a) - (a - 1/2)
log a + a - log(2 pi)/2 the Dirichlet log density is, since sum y_i = 1,

    - sum a_i g(log(A y_i/a_i)) - sum log y_i + sum (log a_i)/2 - (log A)/2 - (n - 1)/2 log(2 pi) + e(A) - sum e(a_i),

so that nothing of size A is added and taken away again; the code and its level score are written so.

Mean squared scores, s = the tangent score:

    Dirichlet           E|s|^2 = (A - 1)(A - 2) [(n-1)/n sum_J 1/(a_i - 2) + |J| (n - |J|)/n],  A = sum a_i,
                        J = {i: a_i != 1}; finite iff a_i > 2 on J
    von Mises-Fisher    E|s|^2 = (n - 1) k I_{n/2}(k)/I_{n/2-1}(k),  E s = (n - 1) (e/k) I_{n/2}(k)/I_{n/2-1}(k)

(Dirichlet moments: E[1/(y_i y_j)] = (A-1)(A-2)/((a_i-1)(a_j-1)), E[1/y_i^2] = (A-1)(A-2)/((a_i-1)(a_i-2)).)

References: J. Aitchison and S. M. Shen, Biometrika 67, 1980 (logistic-normal); K. W. Ng, G.-L. Tian and M.-L. Tang,
"Dirichlet and Related Distributions", 2011; K. V. Mardia and P. E. Jupp, "Directional Statistics", 2000, section 9.3.
"""

from dataclasses import dataclass, replace

import mpmath
import numpy as np
import sympy as sp

from symdsm.symbolic.indexed import IndexedDensity, declare, event_indices
from symdsm.symbolic.indexed_gaussian import gaussian_integral, is_quadratic, log_normaliser_derivative, substitute
from symdsm.symbolic.indexed_nodes import Axis
from symdsm.symbolic.indexed_numbers import example, number
from symdsm.symbolic.indexed_words import in_event_index
from symdsm.symbolic.manifolds import Manifold, Simplex, Sphere
from symdsm.symbolic.nodes import BesselIRatio, ExpGap, LogBesselI, StirlingError

__all__ = ["Law", "known_law"]

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Law:
    """A recognised law. `natural` is a_j or e_j of the docstring in the index `j`; `correction` is what the level
    score of `density` is to be lessened by, None when the normaliser in the level is not known."""

    name: str
    density: IndexedDensity
    normalised: bool | None
    correction: sp.Expr | None
    natural: sp.Expr | None = None
    j: sp.Symbol | None = None
    information: sp.Expr | None = None
    mean_score: sp.Expr | None = None
    stable: IndexedDensity | None = None

    @property
    def finite_information(self) -> sp.Basic:
        """When E|s|^2 is finite. Dirichlet: for every index j, a_j > 2, or a_j = 1 so that the entry is not pulled."""
        if self.name != "Dirichlet":
            return sp.true
        return sp.Or(sp.Gt(self.natural, 2), sp.Eq(self.natural, 1))

    @property
    def computed(self) -> IndexedDensity:
        """The density as code should compute it: equal on the manifold, without cancellation."""
        return self.density if self.stable is None else self.stable


def known_law(d: IndexedDensity, manifold: Manifold, level: sp.Symbol | None) -> Law | None:
    """The law of a density in normal form; None when it is none of those above."""
    rules = {Simplex: (_dirichlet, _logistic_normal), Sphere: (_von_mises_fisher,)}[type(manifold)]
    return next((law for law in (rule(d, level) for rule in rules) if law is not None), None)


def _dirichlet(d, level):
    terms = []
    for c in d.score:
        weight = sp.expand(c.seed * d.noisy[c.target])
        if _holds(weight, d.noisy):
            return None
        terms.append(c._replace(seed=weight))
    j, n, y = _frame(d)
    alpha = _entry(d, terms, j) + 1
    total = _sum(alpha, j, n)
    log_density = sp.Sum((alpha - 1) * sp.log(y[j]), (j, 0, n - 1)) + sp.loggamma(total)
    log_density -= sp.Sum(sp.loggamma(alpha), (j, 0, n - 1))
    pulled = sp.Ne(alpha, 1)
    poles = sp.Sum(sp.Piecewise((1 / (alpha - 2), pulled), (0, True)), (j, 0, n - 1))
    count = sp.Sum(sp.Piecewise((1, pulled), (0, True)), (j, 0, n - 1))
    information = (total - 1) * (total - 2) * ((n - 1) * poles + count * (n - count)) / n
    law = _normalised(d, "Dirichlet", log_density, alpha, j, information)
    return replace(law, stable=_declared(d, _by_stirling(alpha, total, y, j, n), positive=True))


def _by_stirling(alpha, total, y, j, n):
    """The Dirichlet log density without terms of the size of A."""

    def over_event(f):
        return sp.Sum(f, (j, 0, n - 1))

    gap = over_event(alpha * ExpGap(sp.log(total * y[j] / alpha)))
    around = over_event(sp.log(alpha) / 2 - sp.log(y[j]) - StirlingError(alpha))
    return around - gap - sp.log(total) / 2 - (n - 1) * sp.log(2 * sp.pi) / 2 + StirlingError(total)


def _von_mises_fisher(d, level):
    terms = []
    for c in d.score:
        seed, own = sp.expand(c.seed), d.noisy[c.target]
        slope = seed.coeff(own, 1)
        rest = sp.expand(seed - slope * own)
        even = slope == 0 or _reaches_all(c, d) and not slope.free_symbols & set(c.target)
        if _holds(rest, d.noisy) or _holds(slope, d.noisy) or not even:
            return None
        terms.append(c._replace(seed=rest))
    j, n, y = _frame(d)
    eta = _entry(d, terms, j)
    if eta == 0:
        return None
    scale, shape = eta.as_independent(j, as_Add=False)
    length = scale * sp.sqrt(sp.Sum(shape**2, (j, 0, n - 1))) if scale.is_positive else None
    kappa = sp.sqrt(sp.Sum(eta**2, (j, 0, n - 1))) if length is None else length
    order = sp.S(n) / 2 - 1
    log_density = sp.Sum(eta * y[j], (j, 0, n - 1)) + order * sp.log(kappa) - LogBesselI(order, kappa)
    slope = (n - 1) * BesselIRatio(order, kappa)
    log_density -= n * sp.log(2 * sp.pi) / 2
    return replace(
        _normalised(d, "von Mises-Fisher", log_density, eta, j, slope * kappa), mean_score=slope * eta / kappa
    )


def _reaches_all(c, d) -> bool:
    """One term for each entry of y."""
    (length,) = d.shapes[d.noisy]
    return len(c.limits) == 1 and tuple(c.limits[0]) == (*c.target, 0, length - 1)


def _logistic_normal(d, level):
    u = sp.IndexedBase("_u", real=True)
    moved = substitute(d.expr, d.noisy, lambda index: sp.exp(u[index]))
    lengths = d.shapes[d.noisy]
    at = replace(d, expr=moved, noisy=u, shapes={u: lengths} | {b: s for b, s in d.shapes.items() if b != d.noisy})
    if not is_quadratic(at) or not _is_invariant(at, lengths[0]):
        return None
    axis = Axis("i")
    whole = replace(at, expr=moved + sp.Sum(u[axis], (axis, 0, lengths[0] - 1)))
    correction = None if level is None else log_normaliser_derivative(whole, level)
    if correction is not None:
        correction = sp.expand(correction - 1 / d.own(level))
    settled = level is None or correction == 0
    gaussians = [_gaussian(at, lengths[0], seed) for seed in (1, 2)]
    one = settled and all(g is not None and abs(g[0]) < _TOLERANCE for g in gaussians)
    isotropic = "isotropic " * all(g is not None and _is_isotropic(g[1]) for g in gaussians)
    return Law(f"{isotropic}logistic-normal", d, True if one else None, correction)


def _is_invariant(at, length) -> bool:
    """Does log p + sum u_i stay the same along (1, .., 1)? Its slope there, at random numbers."""
    for seed in (3, 4):
        scalars, arrays = example(at, seed)
        slope = sum(_place(c, scalars, arrays) for c in at.score)
        if abs(slope + number(length, scalars, arrays)) > _TOLERANCE * (1 + abs(slope)):
            return False
    return True


def _place(c, scalars, arrays):
    return number(sp.Sum(c.seed, *c.limits) if c.limits else c.seed, scalars, arrays)


def _gaussian(at, length, seed):
    """log of the integral over the simplex at random clean values and parameters, and the precision; or None."""
    scalars, arrays = example(at, seed)
    n = int(number(length, scalars, arrays))
    basis = _orthogonal_to_ones(n)

    def log_density(t):
        u = basis @ t
        return number(at.expr, scalars, arrays | {"_u": u}) + sum(u)

    found = gaussian_integral(log_density, n - 1)
    return None if found is None else (found[0] + mpmath.log(n) / 2, found[1])


def _is_isotropic(precision) -> bool:
    rest = precision - precision[0, 0] * mpmath.eye(precision.rows)
    return mpmath.mnorm(rest, mpmath.inf) < _TOLERANCE * precision[0, 0]


def _orthogonal_to_ones(n):
    """Helmert's orthonormal basis of 1'u = 0, as columns."""
    columns = [[1] * k + [-k] + [0] * (n - k - 1) for k in range(1, n)]
    return np.array([[c / mpmath.sqrt(k * (k + 1)) for c in column] for k, column in enumerate(columns, 1)]).T


def _frame(d):
    """The event's index, its length and the noisy array, in the user's symbols."""
    (j,), (length,) = event_indices(d), d.shapes[d.noisy]
    return j, d.restore(length), d.restore(d.noisy)


def _entry(d, contributions, j):
    return d.restore(sp.Add(*(in_event_index(c, (j,), d.shapes[d.noisy]) for c in contributions)))


def _sum(f, j, n):
    """The sum over the event with what is free of the index in front."""
    factor, rest = f.as_independent(j, as_Add=False)
    return factor * sp.Sum(rest, (j, 0, n - 1)) if rest != 1 else factor * n


def _holds(e, base):
    return any(entry.base == base for entry in e.atoms(sp.Indexed))


def _normalised(d, name, log_density, natural, j, information):
    density = _declared(d, log_density, positive=name == "Dirichlet")
    return Law(name, density, True, sp.S.Zero, natural, j, information)


def _declared(d, log_density, positive):
    return declare(log_density, d.restore(d.noisy), d.restore(d.clean), positive)
