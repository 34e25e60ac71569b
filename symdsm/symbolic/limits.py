"""Sizes that untrusted text may ask SymPy to evaluate.

SymPy evaluates numbers at once: 9**9**9 has 370 million digits and gamma(10**9) never ends, inside one C
call that no timer can interrupt. The grammar and the JSON loader therefore build powers and calls through
this page, which looks at the sizes first.
"""

import sympy as sp

from symdsm.errors import DeclarationError

__all__ = ["MAX_BITS", "MAX_EXPONENT", "admissible_argument", "admissible_number", "admissible_power"]

MAX_BITS = 4096
MAX_EXPONENT = 1000
MAX_TOWER = 4
_GROWING = {
    "gamma", "loggamma", "digamma", "trigamma", "polygamma", "beta", "lowergamma", "uppergamma", "factorial",
    "binomial", "zeta", "harmonic", "besseli", "besselj", "besselk", "bessely", "RisingFactorial",
}  # fmt: skip


def _bits(number: sp.Rational) -> int:
    return max(int(number.p).bit_length(), int(number.q).bit_length())


def admissible_number(number: sp.Basic) -> sp.Basic:
    """The number itself, if it has at most MAX_BITS bits above and below the line."""
    if isinstance(number, sp.Rational) and _bits(number) > MAX_BITS:
        raise DeclarationError(
            given=f"a number of {_bits(number)} bits",
            expected=f"at most {MAX_BITS} bits",
            fix="write it as a parameter and pass its value at run time",
        )
    return number


def admissible_power(base: sp.Basic, exponent: sp.Basic) -> None:
    """Refuse a power whose evaluation, or expansion, is out of proportion."""
    if not isinstance(exponent, sp.Rational):
        return
    size = abs(exponent)
    too_long = isinstance(base, sp.Rational) and _bits(base) * size > MAX_BITS and base not in (0, 1, -1)
    if size > MAX_EXPONENT or _bits(exponent) > 256 or too_long:
        shown = exponent if _bits(exponent) < 64 else f"a number of {_bits(exponent)} bits"
        raise DeclarationError(
            given=f"a power with exponent {shown}",
            expected=f"an exponent of at most {MAX_EXPONENT} and a result of at most {MAX_BITS} bits",
            fix="write the exponent as a parameter and pass its value at run time",
        )


def admissible_argument(name: str, *args: sp.Basic) -> None:
    """Refuse a number at which a growing function (gamma, Bessel, ...) never ends, and towers of exponentials."""
    if name in ("exp", "sinh", "cosh", "expm1") and max(map(_tower, args), default=0) >= MAX_TOWER:
        raise DeclarationError(
            given=f"{MAX_TOWER + 1} exponentials in each other",
            expected=f"at most {MAX_TOWER}: the number has no floating-point form",
            fix="write the inner one as a parameter, or take logarithms",
        )
    most = MAX_EXPONENT if name in _GROWING else 10**18
    for arg in args:
        if isinstance(arg, sp.Number) and arg.is_finite and abs(arg) > most:
            raise DeclarationError(
                given=f"{name} of a number above {most}",
                expected=f"at most {most}",
                fix="write the number as a parameter and pass its value at run time",
            )


def _tower(e: sp.Basic) -> int:
    """How many exponentials stand in each other's exponents."""
    inner = max(map(_tower, e.args), default=0)
    return inner + isinstance(e, (sp.exp, sp.sinh, sp.cosh)) + (e.is_Pow and bool(e.exp.free_symbols))
