"""What people hand to Kernel, checked before any mathematics begins."""

from collections.abc import Mapping
from typing import Any

import sympy as sp

from symdsm.errors import DeclarationError, ParameterError
from symdsm.symbolic.declaration import Declaration

__all__ = ["admissible_values", "check_declared", "check_scalar"]


def check_declared(expression: Any, level: Any = None, **symbols: Any) -> None:
    """An expression, symbols for y and x, and a symbol or nothing for the level. Raises DeclarationError."""
    if not isinstance(expression, (sp.Basic, int, float)):
        raise DeclarationError(
            given=f"{expression!r}, a {type(expression).__name__}",
            expected="a SymPy expression; text is read by the command line only, `symdsm derive EXPR`",
            fix='write it with symbols: x, s = sp.Symbol("x", real=True), sp.Symbol("s", positive=True)',
        )
    for name, symbol in (symbols | ({} if level is None else {"level": level})).items():
        if not isinstance(symbol, (sp.Symbol, sp.IndexedBase)):
            raise DeclarationError(
                given=f"{name}={symbol!r}, a {type(symbol).__name__}",
                expected="a SymPy symbol",
                fix=f'pass the very symbol of the expression, such as {name}=sp.Symbol("{name[0]}", real=True)',
            )


def check_scalar(kernels: Mapping[str, Any], what: str) -> None:
    """Kernels of one noisy value, at least one. Raises DeclarationError."""
    for name, kernel in kernels.items():
        if isinstance(getattr(kernel, "_declaration", None), Declaration):
            continue
        given = f"{kernel!r} as {name!r}" if not hasattr(kernel, "_declaration") else f"a kernel of arrays as {name!r}"
        raise DeclarationError(
            given=f"{given} in {what}",
            expected="kernels of one noisy value, from from_random, from_density, a scalar SDE, mixture or change",
            fix="build each with a Kernel constructor; write coupled noise as one density in index notation",
        )
    if not kernels:
        raise DeclarationError(given=f"{what} of nothing", expected="at least one kernel", fix="pass some kernels")


def admissible_values(kernel, values: Mapping) -> dict[sp.Symbol, sp.Expr]:
    """{parameter: value} with the kernel's own symbols as keys, each value within its assumptions."""
    params = {s.name: s for s in kernel.params}
    put = {}
    for key, value in values.items():
        symbol = params.get(getattr(key, "name", str(key)))
        if symbol is None:
            raise ParameterError(
                given=f"{key} -> {value}, where {key} is no parameter",
                expected=f"one of {', '.join(params) or 'no parameters'}",
                fix="kernel.params lists them; the clean and the noisy symbol stay",
            )
        if not isinstance(value, (int, float, sp.Expr)) or isinstance(value, bool):
            raise ParameterError(
                given=f"{key} -> {value!r}", expected="a number or a SymPy expression", fix=f"pass {{{key}: 2.0}}, say"
            )
        value = sp.sympify(value)
        for fact in ("positive", "nonnegative", "negative", "real"):
            if getattr(symbol, f"is_{fact}") and getattr(value, f"is_{fact}") is False:
                raise ParameterError(
                    given=f"{key} -> {value}", expected=f"a {fact} value for {key}", fix=f"pass a {fact} value"
                )
        put[symbol] = value
    return put
