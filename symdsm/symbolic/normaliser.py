"""Is a declared density normalised, and if not, what factor is missing?

A density f(y; x, theta) may lack any factor without y. The score does not see it; the level score, the NumPyro
distribution and the evidence do. In this order, each found factor being compared with Z = integral f dy by
quadrature at random admissible points before it is used:

    scale       f(y) dy = e^c g(u) du with u free of x and of the scale (symbolic/reduction.py):  log Z = c + log Z_g
    pivot       g du is a gamma or a beta-prime law in some r = r(u) (symbolic/pivot.py)
    constant    Z_g without parameters is a number, named where it is a rational times powers of 2 and pi
    table       exp(k cos u) over a circle: Z = 2 pi I_0(k)
    integrate   SymPy, within a time budget, where the answer is in functions that keep their digits

The reduction also gives the declaration its noise, so that samples and targets come from u.
"""

import random
from dataclasses import replace

import mpmath
import sympy as sp

from symdsm.errors import DeclarationError
from symdsm.symbolic.budget import OutOfTime, bounded
from symdsm.symbolic.declaration import Noise
from symdsm.symbolic.laws import LAWS
from symdsm.symbolic.logs import exact_log
from symdsm.symbolic.nodes import LogBesselI, LogNdtr, plain
from symdsm.symbolic.pivot import find_pivot
from symdsm.symbolic.probe import numeric, probes
from symdsm.symbolic.quadrature import break_points, integrals
from symdsm.symbolic.reduction import reduce_to_noise

__all__ = ["find_normaliser"]

_SECONDS = 1.0
_TOLERANCE = 1e-8
_WELCOME = {sp.exp, sp.log, sp.gamma, sp.erf, sp.erfc, sp.besselk, sp.Abs, sp.sin, sp.cos, sp.atan}
_FAILURES = (OutOfTime, NotImplementedError, ValueError, TypeError, AttributeError, RecursionError, KeyError)


def find_normaliser(declaration):
    """The declaration with `normalised` decided and, where they were found, the missing factor and the noise put in.

    Raises DeclarationError for a density that is negative somewhere, or whose integral is infinite or zero.
    """
    points = _nowhere_negative(declaration, probes(declaration, 2))
    reduction = reduce_to_noise(declaration)
    values = [_mass(declaration.log_density, declaration.noisy, declaration.support, p) for p in points]
    _check_mass(declaration, points, values)
    known = [(p, v) for p, v in zip(points, values, strict=True) if v is not None and mpmath.isfinite(v)]
    if not known:
        return replace(declaration, normalised=None)
    log_z = _log_z(declaration, reduction, known)
    if log_z is None:
        return replace(declaration, normalised=False)
    if log_z != 0:
        declaration = replace(declaration, log_density=declaration.log_density - log_z)
    return replace(declaration, normalised=True, noise=_noise(declaration, reduction, log_z))


def _noise(declaration, reduction, log_z) -> Noise | None:
    """The randomness that the density amounts to: a normal, a reduced one, or y itself when it has a recipe."""
    y, support = declaration.noisy, declaration.support
    quadratic = _quadratic_parts(declaration.log_density, y)
    if quadratic is not None and support == sp.S.Reals:
        a, b, _ = quadratic
        law = LAWS["Normal"](sp.factor(sp.together(b / (2 * a))), 1 / sp.sqrt(2 * a))
        return Noise(law.variable, law.map, law.log_density, law.support, law.draw, monotone=True)
    if reduction is not None:
        pivot = find_pivot(reduction.log_g, reduction.variable, reduction.support)
        return reduction.noise(sp.expand(log_z - reduction.shift), None if pivot is None else pivot.draw)
    pivot = find_pivot(declaration.log_density, y, support)
    if pivot is None or pivot.draw is None:
        return None
    e = sp.Symbol("_r" if y.is_positive else "_z", **y._assumptions_orig)
    return Noise(e, e, declaration.log_density.xreplace({y: e}), support, pivot.draw, monotone=True)


def _log_z(declaration, reduction, known) -> sp.Expr | None:
    """The first candidate that agrees with every known value."""
    if all(abs(v - 1) < _TOLERANCE for _, v in known):
        return sp.S.Zero
    for candidate in _candidates(declaration, reduction, known):
        if candidate is not None and _agrees(candidate, known):
            return candidate
    return sp.S.Zero if _is_one_for_small_parameters(declaration) else None


def _is_one_for_small_parameters(declaration) -> bool:
    """A normalised formula whose parameters must lie in (0, 1), a condition that symbols cannot state."""
    points = _small_parameters(declaration, 0.9)
    values = [_mass(declaration.log_density, declaration.noisy, declaration.support, p) for p in points]
    return bool(values) and all(v is not None and abs(v - 1) < _TOLERANCE for v in values)


def _candidates(declaration, reduction, known):
    if reduction is None:
        log_f, u, support, shift = declaration.log_density, declaration.noisy, declaration.support, sp.S.Zero
    else:
        log_f, u, support, shift = reduction.log_g, reduction.variable, reduction.support, reduction.shift
    if not (log_f.free_symbols | support.free_symbols) - {u}:
        number = _mass(log_f, u, support, {})
        yield None if number is None else shift + sp.log(_named(number))
    yield _quadratic(log_f, u, support, shift)
    pivot = find_pivot(log_f, u, support)
    yield None if pivot is None else shift + pivot.log_mass
    yield _table(log_f, u, support, shift)
    yield _integrated(log_f, u, support, shift)


def _mass(log_density, variable, support, point):
    """Z at one point; inf where it diverges, None where it is not known."""
    if not isinstance(support, (sp.Interval, type(sp.S.Reals))):
        return None
    symbols = list(point)
    low, high = (mpmath.mpmathify(numeric(e, symbols)(*point.values())) for e in (support.inf, support.sup))
    if not mpmath.mpf(low) < mpmath.mpf(high):
        return None
    breaks = break_points(log_density, variable, point, low, high)
    values = {s: sp.Float(v, 60) for s, v in point.items()}
    rest, own = log_density.xreplace(values).as_independent(variable, as_Add=True)
    total = integrals(numeric(own, [variable]), [lambda y: 1], breaks)
    return None if total is None else total[0] * mpmath.exp(numeric(rest, [])())


def _nowhere_negative(declaration, points) -> list[dict]:
    """The points at which the density is not negative; smaller parameters are tried before it is refused.

    (A wrapped Cauchy law needs r < 1, which the assumptions of a symbol cannot say.)
    """
    kind, f, *_, log = declaration.source
    if kind != "density" or log:
        return points
    bad = [_negative_at(declaration, f, p) for p in points]
    for most in (0.9, 0.4):
        if None in bad or not bad:
            break
        more = _small_parameters(declaration, most)
        points, bad = points + more, bad + [_negative_at(declaration, f, p) for p in more]
    good = [p for p, b in zip(points, bad, strict=True) if b is None]
    if bad and not good:
        y, number = bad[0]
        shown = ", ".join(f"{s} = {v:.3g}" for s, v in [(declaration.noisy, y), *points[0].items()])
        raise DeclarationError(
            given=f"a density that is negative: {f} is {number:.3g} at {shown}",
            expected="a density that is nowhere negative on its support",
            fix="pass log=True if this is a log density, or a support on which it is positive",
        )
    return good


def _small_parameters(declaration, most) -> list[dict]:
    rng = random.Random(4)
    return [
        {q: v if q == declaration.clean or v < 0 else rng.uniform(0.1, most) for q, v in p.items()}
        for p in probes(declaration, 2, seed=4)
    ]


def _negative_at(declaration, f, point) -> tuple[float, float] | None:
    """(y, f(y)) at some y where f is negative, or None."""
    y = declaration.noisy
    value = numeric(f, [y, *point])
    inside = numeric(declaration.inside, [sp.Symbol(y.name, real=True), *point])
    for k in range(1, 24):
        at = _spread(k / 24, declaration.support, point)
        try:
            number = value(at, *point.values()) if inside(at, *point.values()) else 0
        except (ArithmeticError, ValueError, TypeError):
            continue
        if mpmath.re(number) < 0:
            return float(at), float(mpmath.re(number))
    return None


def _spread(q, support, point):
    """The q-quantile of some law that fills the support."""
    low, high = support.inf, support.sup
    low, high = (numeric(e, list(point))(*point.values()) for e in (low, high))
    if mpmath.isinf(low) and mpmath.isinf(high):
        return mpmath.tan(mpmath.pi * (q - 0.5)) * 2
    if mpmath.isinf(high):
        return low + mpmath.mpf(q) / (1 - q)
    return high - mpmath.mpf(1 - q) / q if mpmath.isinf(low) else low + (high - low) * q


def _check_mass(declaration, points, values) -> None:
    settled = [v for v in values if v is not None]
    if not settled or len(settled) < len(values):
        return
    for word, bad in (("infinite", mpmath.isinf), ("zero", lambda v: v == 0)):
        if all(bad(v) for v in settled):
            shown = ", ".join(f"{s} = {v:.3g}" for s, v in points[0].items())
            raise DeclarationError(
                given=f"a density whose integral over {declaration.noisy} in {declaration.support} is {word} "
                f"(tried at {shown})",
                expected="a finite, positive integral",
                fix="check the signs of the exponents, the support, and log=True for a log density",
            )


def _agrees(log_z, known) -> bool:
    for point, value in known:
        try:
            number = mpmath.mpmathify(numeric(log_z, list(point))(*point.values()))
        except (ArithmeticError, ValueError, TypeError, NameError):
            return False
        if not mpmath.isfinite(number) or abs(mpmath.exp(number) / value - 1) > 1e-7:
            return False
    return True


def _named(number) -> sp.Expr:
    """A rational times half powers of 2 and pi where the number is one; else its first thirty digits."""
    with mpmath.workdps(30):
        for halves in (0, 1, 2, -1, -2):
            for twos in (0, 1):
                rest = number / mpmath.pi ** (mpmath.mpf(halves) / 2) / mpmath.sqrt(2) ** twos
                for q in (1, 2, 3, 4, 6, 8, 12, 15, 16):
                    if abs(rest * q - mpmath.nint(rest * q)) < 1e-14 * abs(rest) and abs(rest * q) < 1000:
                        exact = sp.Rational(int(mpmath.nint(rest * q)), q)
                        return exact * sp.pi ** sp.Rational(halves, 2) * sp.sqrt(2) ** twos
        return sp.Float(number, 30)


def _table(log_f, u, support, shift) -> sp.Expr | None:
    """exp(k cos(u - m) + const) over one period."""
    if not (support.inf.is_finite and support.sup.is_finite) or support.sup - support.inf != 2 * sp.pi:
        return None
    rest, own = log_f.as_independent(u, as_Add=True)
    k, wave = own.as_independent(u, as_Add=False)
    if not isinstance(wave, sp.cos) or wave.args[0].coeff(u) ** 2 != 1:
        return None
    return shift + rest + sp.log(2 * sp.pi) + LogBesselI(0, k) if k.is_positive else None


def _quadratic(log_f, u, support, shift) -> sp.Expr | None:
    """exp(-a u^2 + b u + c) on the line or on (0, oo): sqrt(pi/a) e^(c + b^2/(4a)), times Phi(b/sqrt(2a)) there."""
    parts = _quadratic_parts(log_f, u)
    if parts is None:
        return None
    a, b, c = parts
    log_z = shift + sp.cancel(sp.together(c + b**2 / (4 * a))) + sp.log(sp.pi / a) / 2
    if support == sp.S.Reals:
        return log_z
    if (support.inf, support.sup) != (0, sp.oo):
        return None
    return log_z + LogNdtr(sp.cancel(sp.together(b / (2 * a))) * sp.sqrt(2 * a))


def _quadratic_parts(log_f, u):
    """(a, b, c) of -a u^2 + b u + c, or None."""
    log_f = sp.expand(log_f)
    if not log_f.is_polynomial(u) or sp.degree(log_f, u) != 2:
        return None
    a = sp.factor(sp.together(-log_f.coeff(u, 2)))
    return a, log_f.coeff(u, 1), log_f.coeff(u, 0)


def _integrated(log_f, u, support, shift) -> sp.Expr | None:
    density = sp.powsimp(sp.expand_power_exp(sp.exp(plain(log_f))))
    try:
        z = bounded(_SECONDS, lambda: sp.integrate(density, (u, support.inf, support.sup), conds="none"))
    except _FAILURES:
        return None
    functions = {type(part) for part in z.atoms(sp.Function)}
    if not functions <= _WELCOME or z.has(sp.Integral, sp.zoo, sp.nan, sp.oo) or u in z.free_symbols:
        return None
    return shift + exact_log(z)
