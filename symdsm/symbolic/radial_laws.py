r"""How far an elliptical coupled law reaches: the laws of its radius that are drawn without an integral.

With log f = G(q), q = c + |u|^2 and u = A^(1/2) (y - m), y has n entries (symbolic/indexed_normaliser.py). The draw is
u = e sqrt(w), e standard normal and w a mixing variable of its own, for

    t        G = -a log(alpha + beta q)                        w = (alpha + beta c)/(2 beta Gamma(a - n/2))
    Bessel   G = p log q + log K_v(z), z^2 = 2 beta q,          w = Gamma(2 p + n/2)/beta
             v = +-2p, c = 0

where Gamma(a) stands for a standard gamma variable of that shape. The first is Student's t: |u|^2 = |e|^2 w is a ratio
of gamma variables of shapes n/2 and a - n/2. The second is the variance-gamma law, of which the symmetric Laplace law
is the one of shape one: the integral over w of w^(-n/2) e^(-q/(2w)) w^(g-1) e^(-beta w) is a multiple of q^((g-n/2)/2)
K_{g-n/2}(sqrt(2 beta q)). Sources: Kotz and Nadarajah (2004), 1.2; Kotz, Kozubowski and Podgorski (2001), 6.3 and 6.4.
"""

from typing import NamedTuple

import sympy as sp

from symdsm.symbolic.indexed_gaussian import centre, cleared, substitute
from symdsm.symbolic.indexed_normaliser import Elliptical
from symdsm.symbolic.nodes import Log1p, LogBesselK

__all__ = ["Mixing", "mixing"]


class Mixing(NamedTuple):
    """w = scale * Gamma(shape)^power, in the symbols of the density; `least` stands for c."""

    shape: sp.Expr
    scale: sp.Expr
    power: int


def mixing(d, found: Elliptical, least: sp.Symbol) -> Mixing | None:
    """The law of w; None where the radius has no law of the table."""
    count = sp.Mul(*d.shapes[d.noisy])
    return _student(found, count, least) or (_bessel(found, count) if _starts_at_zero(d, found) else None)


def _student(found, count, least) -> Mixing | None:
    parts = _linear_in(found, (Log1p, sp.log))
    if parts is None or len(parts) != 1:
        return None
    ((log, power),) = parts.items()
    inner = log.args[0] + 1 if isinstance(log, Log1p) else log.args[0]
    slope = sp.diff(inner, found.variable)
    if found.variable in slope.free_symbols:
        return None
    return Mixing(-power - count / 2, inner.xreplace({found.variable: least}) / (2 * slope), -1)


def _bessel(found, count) -> Mixing | None:
    q, parts = found.variable, _linear_in(found, (LogBesselK, sp.log)) or {}
    bessel, logs = ([e for e in parts if isinstance(e, kind)] for kind in (LogBesselK, sp.log))
    if len(bessel) != 1 or parts[bessel[0]] != 1 or len(logs) > 1:
        return None
    (order, z), power = bessel[0].args, parts[logs[0]] if logs else sp.S.Zero
    rate = z**2 / (2 * q)
    ratios = [rate, order, *(log.args[0] / q for log in logs)]
    if any(q in ratio.free_symbols for ratio in ratios):
        return None
    if 0 not in (sp.expand(order - 2 * power), sp.expand(order + 2 * power)):
        return None
    return Mixing(2 * power + count / 2, 1 / rate, 1)


def _linear_in(found, kinds) -> dict | None:
    """The factors, free of q, of the functions of q that add up to the profile; None where it is no such sum."""
    q = found.variable
    names = {e: sp.Dummy() for e in sorted(found.profile.atoms(*kinds), key=str) if q in e.free_symbols}
    profile = found.profile.xreplace(names)
    factors = {e: sp.diff(profile, name) for e, name in names.items()}
    bound = {q, *names.values()}
    if any(bound & factor.free_symbols for factor in factors.values()):
        return None
    rest = profile.xreplace(dict.fromkeys(names.values(), sp.S.Zero))
    return None if q in rest.free_symbols else factors


def _starts_at_zero(d, found) -> bool:
    """Is the form zero at the centre of the law?"""
    middle = centre(d)
    return middle is not None and cleared(substitute(found.form, d.noisy, middle[0])) == 0
