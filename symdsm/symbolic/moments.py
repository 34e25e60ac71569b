r"""Check closed-form moments against their equations, and write them stably.

    m' = A m + c,  m(0) = m0;     S' = A S + S A^T + Q,  S(0) = S0;     S(t) positive definite for t > 0

are evaluated with 40 digits at random admissible parameters and times. The check shares no step with the
derivation but the derivative. The initial condition is read at t = 1e-30: a limit in SymPy may be
silently wrong.

`tidy` writes a sum of exponentials that share one rate g as a product, because

    1 - 2 exp(-g tau) + exp(-2 g tau) = (1 - exp(-g tau))^2

loses all digits near tau = 0 on the left and none on the right.
"""

import random

import sympy as sp

from symdsm.symbolic.budget import OutOfTime, bounded
from symdsm.symbolic.nodes_elementary import Expm1

__all__ = ["check_moments", "probe", "tidy"]

DIGITS, TOLERANCE, POINTS = 40, 1e-20, 2


def check_moments(mean, covariance, matrix, offset, noise, start, spread, t) -> str | None:
    """None when all equations hold; else what failed: "singular" or a sentence."""
    residuals = {
        "the mean's equation": (mean.diff(t), matrix * mean + offset),
        "the covariance's equation": (
            covariance.diff(t),
            matrix * covariance + covariance * matrix.T + noise,
        ),
    }
    symbols = set().union(*(part.free_symbols for part in (mean, covariance, matrix, offset, noise, start, spread)))
    draw = random.Random(20)
    reached = False
    for _ in range(POINTS):
        point = {s: _admissible(s, draw) for s in sorted(symbols - {t}, key=str)}
        later = point | {t: _float(draw.uniform(0.2, 1.9))}
        for name, (left, right) in residuals.items():
            if not _agree(left.xreplace(later), right.xreplace(later), TOLERANCE):
                return f"{name} does not hold"
        at_zero = point | {t: sp.Float("1e-30", 2 * DIGITS)}
        if not (_agree(mean.xreplace(at_zero), start.xreplace(point), 1e-9)):
            return "the mean does not begin at the clean value"
        if not _agree(covariance.xreplace(at_zero), spread.xreplace(point), 1e-9):
            return "the covariance does not begin at the initial one"
        values = covariance.xreplace(later).evalf(DIGITS)
        minors = [values[:k, :k].det() for k in range(1, values.shape[0] + 1)]
        if any(not minor.is_real for minor in minors):
            return "the covariance is not real"
        reached = reached or all(abs(minor) > 1e-25 for minor in minors)
    return None if reached else "singular"


def probe(expr: sp.Expr | sp.MatrixBase, seed: int) -> sp.Expr | sp.MatrixBase:
    """The value at a random admissible point: the same point for the same symbols and seed."""
    draw = random.Random(seed)
    point = {s: _admissible(s, draw) for s in sorted(expr.free_symbols, key=str)}
    return expr.xreplace(point).evalf(DIGITS)


def _admissible(symbol: sp.Symbol, draw: random.Random) -> sp.Expr:
    if symbol.is_integer:
        value = sp.Integer(draw.randint(1, 4))
    else:
        value = _float(draw.uniform(0.3, 1.6))
    if symbol.is_negative or symbol.is_nonpositive:
        return -value
    return value


def _float(number: float) -> sp.Float:
    """A Float of many digits: SymPy would evaluate powers of exact numbers exactly, and for ever."""
    return sp.Float(number, 2 * DIGITS)


def _agree(left: sp.Matrix, right: sp.Matrix, tolerance: float) -> bool:
    for a, b in zip(left, right, strict=True):
        a, b = sp.N(a, DIGITS), sp.N(b, DIGITS)
        if not (a.is_number and b.is_number and a.is_finite and b.is_finite):
            return False
        if abs(a - b) > tolerance * (1 + abs(b)):
            return False
    return True


def tidy(entry: sp.Expr, tau: sp.Symbol) -> sp.Expr:
    """The same entry, as a product where its exponentials share one rate; value unchanged."""
    grown = entry.atoms(Expm1)
    if len(grown) < 2 or not _one_rate([e.args[0] for e in grown]):
        return entry
    try:
        return bounded(1.0, _factored, entry, tau)
    except (OutOfTime, sp.PolynomialError):
        return entry


def _one_rate(exponents: list[sp.Expr]) -> bool:
    """Do the exponents look like multiples of each other, at two points?"""
    whole = sp.Matrix(exponents)
    first, second = (probe(whole, seed) for seed in (1, 2))
    return all(abs(a * second[0] - b * first[0]) < 1e-20 for a, b in zip(first, second, strict=True))


def _factored(entry: sp.Expr, tau: sp.Symbol) -> sp.Expr:
    plain = entry.replace(lambda e: isinstance(e, Expm1), lambda e: sp.exp(e.args[0]) - 1)
    rates = {sp.cancel(e.args[0] / tau) for e in plain.atoms(sp.exp) if e.has(tau)}
    first = min(rates, key=sp.default_sort_key)
    shares = [sp.cancel(rate / first) for rate in rates]
    if plain.subs(sp.exp, sp.Dummy()).has(sp.LambertW) or not all(share.is_Rational for share in shares):
        return entry
    unit = abs(sp.gcd_list(shares)) * first
    w = sp.Dummy("w", positive=True)
    powers = plain.replace(
        lambda e: isinstance(e, sp.exp) and e.has(tau), lambda e: w ** sp.cancel(e.args[0] / (unit * tau))
    )
    if powers.has(tau):
        return entry
    factored = sp.factor(powers)

    # w - 1 in any sign becomes expm1; the other factors are far from zero there.
    def rewrite(e):
        if e == w - 1:
            return Expm1(unit * tau)
        if e == 1 - w:
            return -Expm1(unit * tau)
        return e

    return factored.replace(lambda e: e in (w - 1, 1 - w), rewrite).subs(w, sp.exp(unit * tau))
