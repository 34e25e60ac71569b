"""What a caller hands over, as SymPy. Text is refused: SymPy would evaluate it as Python (see symbolic/grammar.py)."""

from typing import Any

import sympy as sp

from symdsm.errors import DeclarationError

__all__ = ["expression"]


def expression(value: Any, what: str) -> sp.Basic:
    """`value` as a SymPy object; raises DeclarationError for text and for whatever SymPy does not know."""
    try:
        return sp.sympify(value, strict=True)
    except sp.SympifyError:
        raise DeclarationError(
            given=f"{what} {value!r}, a {type(value).__name__}",
            expected="a number or a SymPy expression; text is read by the command line only",
            fix='write it with symbols: x = sp.Symbol("x", real=True)',
        ) from None
