r"""Joint laws of a few coordinates: a random vector V = map(u) of standard variables u with a known log density.

Independent scalar laws (symbolic/laws.py) side by side, and the joint distributions of sympy.stats:

    Normal(m, S)         V = m + L u,    L L' = S,    u standard normal
    t(m, S, nu)          V = m + L u,    u = z/sqrt(g),    g ~ Gamma(nu/2, rate nu/2)
    Laplace(mu, S)       V = L u,    u = d w + sqrt(w) z,    d = L^-1 mu,    w ~ Exponential(1);
                         log f(u) = log 2 - n/2 log 2 pi + d'u + (v/2) log(q/c) + log K_v(sqrt(c q)),
                         q = |u|^2,    c = 2 + |d|^2,    v = 1 - n/2
    normal-gamma         V = (m + z/sqrt(l t), t),    t ~ Gamma(a, rate b)
    log-gamma            V_i = (u_i + log l_i)/m_i,    u_i = log G_i,    G_i | k ~ Gamma(v + k),    k ~ NB(v, delta)

L is written as L = T D^(1/2) with T unit lower triangular, whose entries are rational functions of those of S.
A row also says whether the score of V has a finite second moment and what the Fisher information of V is.

Sources: Kotz, Balakrishnan and Johnson, Continuous Multivariate Distributions (2000), chapters 37, 44, 45; Kotz,
Kozubowski and Podgorski, The Laplace Distribution (2001), chapter 6; Demirhan and Hamurkaroglu, Journal of Statistical
Planning and Inference 141 (2011), 1141; Lange, Little and Taylor, JASA 84 (1989), 881, for the information of t.
"""

from dataclasses import dataclass

import sympy as sp
from sympy import S, log, oo, pi, sqrt

from symdsm.errors import DeclarationError
from symdsm.symbolic.laws import LAWS, LINE, Draw, Law, stirling_gamma
from symdsm.symbolic.nodes import LogBesselK, LogGammaMixture, StirlingError

__all__ = ["JOINT_LAWS", "JointLaw", "joint_law_of", "single"]


@dataclass(frozen=True)
class JointLaw:
    """V = map(variables); log_density of the variables on the product of `supports`; `draws` in primitive draws.

    `moment` is (when, why): E |d log p_V / dV|^2 is finite; `edge` is (when, why): p_V vanishes at the edge of its
    support; `information` is the Fisher information matrix of V, or None. A scalar law has None for all three: it is
    a kernel of its own.
    """

    variables: tuple[sp.Symbol, ...]
    map: tuple[sp.Expr, ...]
    log_density: sp.Expr
    supports: tuple[sp.Set, ...]
    draws: tuple[sp.Expr | None, ...]
    moment: tuple[sp.Basic, str] | None = None
    edge: tuple[sp.Basic, str] | None = None
    information: sp.MatrixBase | None = None
    period: sp.Expr | None = None


def single(law: Law) -> JointLaw:
    """A scalar law as a joint law of one coordinate."""
    return JointLaw((law.variable,), (law.map,), law.log_density, (law.support,), (law.draw,), period=law.period)


def _standard(n: int) -> tuple[sp.Symbol, ...]:
    return tuple(sp.Symbol(f"_u{k}", real=True) for k in range(n))


def _draw(kind: str, slot: int, *shapes) -> sp.Expr:
    return Draw(sp.Symbol(kind), sp.Integer(slot), *map(sp.sympify, shapes))


def _factor(name: str, scatter: sp.MatrixBase) -> sp.MatrixBase:
    """L = T D^(1/2) of a symmetric positive definite matrix. Raises DeclarationError where a pivot is not positive."""
    n = scatter.shape[0]
    if scatter.shape != (n, n) or any(sp.expand(e) != 0 for e in scatter - scatter.T):
        raise _not_a_scatter(name, f"the matrix {scatter.tolist()}, which is not symmetric")
    lower, pivots = sp.eye(n).as_mutable(), []
    for j in range(n):
        pivot = _short(scatter[j, j] - sum(lower[j, k] ** 2 * pivots[k] for k in range(j)))
        unsigned = [f for f in sp.Mul.make_args(pivot) if f.is_Symbol and not f.is_positive]
        if pivot.is_nonpositive or unsigned:
            why = f"whose pivot {j + 1}, {pivot}, is not known to be positive"
            raise _not_a_scatter(name, f"the matrix {scatter.tolist()}, {why}")
        pivots.append(pivot)
        for i in range(j + 1, n):
            done = sum(lower[i, k] * lower[j, k] * pivots[k] for k in range(j))
            lower[i, j] = _short((scatter[i, j] - done) / pivot)
    return lower * sp.diag(*[sqrt(pivot) for pivot in pivots])


def _short(entry: sp.Expr) -> sp.Expr:
    return sp.factor_terms(sp.cancel(sp.together(entry)))


def _not_a_scatter(name, given) -> DeclarationError:
    return DeclarationError(
        given=f"{name} with {given}",
        expected="a symmetric positive definite matrix of numbers and positive symbols",
        fix='declare scales with sp.Symbol("s", positive=True), and write a correlation as r*s1*s2',
    )


def _forward(lower: sp.MatrixBase, right) -> list[sp.Expr]:
    """L^-1 right by forward substitution."""
    out: list[sp.Expr] = []
    for i in range(lower.shape[0]):
        out.append((right[i] - sum(lower[i, k] * out[k] for k in range(i))) / lower[i, i])
    return out


def _inverse(scatter: sp.MatrixBase) -> sp.MatrixBase:
    return (scatter.adjugate() / scatter.det(method="berkowitz")).as_immutable()


def _normal(mean, covariance):
    n, u = len(mean), _standard(len(mean))
    lower = _factor("Normal", covariance)
    density = -sp.Add(*[z**2 for z in u]) / 2 - n * log(2 * pi) / 2
    return JointLaw(
        u,
        tuple(mean + lower * sp.Matrix(u)),
        density,
        (LINE,) * n,
        tuple(_draw("normal", k) for k in range(n)),
        moment=(sp.true, "a Gaussian score has finite second moments"),
        information=_inverse(covariance),
    )


def _student(mean, scatter, nu):
    """Gamma((nu + n)/2) / Gamma(nu/2) by Stirling's formula, so that nothing of size nu cancels."""
    n, u = len(mean), _standard(len(mean))
    a, c = nu / 2, sp.Rational(len(mean), 2)
    constant = (a + c - S.Half) * log(1 + n / nu) - c + StirlingError(a + c) - StirlingError(a) - c * log(2 * pi)
    density = constant - (nu + n) / 2 * log(1 + sp.Add(*[z**2 for z in u]) / nu)
    spread = sqrt(2 * _draw("gamma", n, a) / nu)
    return JointLaw(
        u,
        tuple(mean + _factor("MultivariateT", scatter) * sp.Matrix(u)),
        density,
        (LINE,) * n,
        tuple(_draw("normal", k) / spread for k in range(n)),
        moment=(sp.true, "the score of a multivariate t is bounded"),
        information=_inverse(scatter) * (nu + n) / (nu + n + 2),
    )


def _laplace(mu, scatter):
    n, u = len(mu), _standard(len(mu))
    lower, v = _factor("MultivariateLaplace", scatter), S.One - sp.Rational(len(mu), 2)
    skew = [sp.factor_terms(d) for d in _forward(lower, mu)]
    tilt = 2 + sp.Add(*[d**2 for d in skew])
    q = sp.Add(*[z**2 for z in u])
    density = log(2) - n * log(2 * pi) / 2 + sp.Add(*[d * z for d, z in zip(skew, u, strict=True)])
    density += v / 2 * log(q / tilt) + LogBesselK(abs(v), sqrt(tilt * q))
    w = _draw("exponential", n)
    growth = "like log(1/r)" if n == 2 else f"like r**{2 - n}"
    bounded = (sp.true, "the score is bounded")
    heavy = (sp.false, f"the density grows {growth} next to its centre, so that E |score|^2 is infinite")
    return JointLaw(
        u,
        tuple(lower * sp.Matrix(u)),
        density,
        (LINE,) * n,
        tuple(d * w + sqrt(w) * _draw("normal", k) for k, d in enumerate(skew)),
        moment=bounded if n == 1 else heavy,
        information=None if n == 1 else sp.diag(*[oo] * n).as_immutable(),
    )


def _normal_gamma(mean, precision, a, b):
    normal, gamma = LAWS["Normal"](S.Zero, S.One), LAWS["Gamma"](a, 1 / b)
    z, t = normal.variable, gamma.map
    in_t = b**2 * (2 * a - 1) / (2 * (a - 1) * (a - 2))
    return JointLaw(
        (gamma.variable, z),
        (mean + z / sqrt(precision * t), t),
        normal.log_density + gamma.log_density,
        (gamma.support, LINE),
        (gamma.draw, _shifted(normal.draw, 1)),
        moment=(sp.Gt(a, 2), f"E |score|^2 is finite iff the inverse square of the precision has a mean: {a} > 2"),
        edge=(sp.Gt(a, 1), f"the density vanishes at precision 0 iff {a} > 1"),
        information=sp.diag(precision * a / b, sp.Piecewise((in_t, a > 2), (oo, True))).as_immutable(),
    )


def _log_gamma(delta, v, scale, rate):
    n, u = len(scale), _standard(len(scale))
    density, count = sp.Add(*[stirling_gamma(z - log(v), v) for z in u]), S.Zero
    if delta != 1:
        density = LogGammaMixture(v, delta, *u)
        count = _draw("poisson", n, _draw("gamma", n + 1, v) * (1 - delta) / delta)
    why = "every power of exp(rate*y) has a mean, and the score is at most a polynomial in them"
    return JointLaw(
        u,
        tuple((u[k] + log(scale[k])) / rate[k] for k in range(n)),
        density,
        (LINE,) * n,
        tuple(_draw("loggamma", k, v + count) for k in range(n)),
        moment=(sp.true, why),
    )


def _shifted(draw: sp.Expr, by: int) -> sp.Expr:
    return draw.replace(Draw, lambda kind, slot, *shapes: Draw(kind, slot + by, *shapes))


JOINT_LAWS = {
    "MultivariateNormal": _normal,
    "MultivariateT": _student,
    "MultivariateLaplace": _laplace,
    "NormalGamma": _normal_gamma,
    "GeneralizedMultivariateLogGamma": _log_gamma,
}


def joint_law_of(distribution) -> JointLaw | None:
    """The row of a joint distribution of sympy.stats, with its arguments put in; None when the table has none."""
    row = JOINT_LAWS.get(type(distribution).__name__.removesuffix("Distribution"))
    return None if row is None else row(*distribution.args)
