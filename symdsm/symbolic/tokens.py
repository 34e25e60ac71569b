"""Text -> tokens, for the grammar of kernels: ASCII numbers, names and operators, nothing else.

    number   12   0.5   .5   1e-3          read exactly, as rationals
    name     a letter, then letters, digits and single underscores; no Python keyword
    operator + - * / ** ^ ( ) , < > = <= >= != == :

Everything else (quotes, dots after names, brackets, letters outside ASCII, control characters) is refused
by its position, before anything is built.
"""

import keyword
import re
from typing import NamedTuple

from symdsm.errors import DeclarationError

__all__ = ["MAX_LENGTH", "Token", "refuse", "tokens"]

MAX_LENGTH = 2000
MAX_DIGITS = 40
MAX_NAME = 40

_PATTERN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.]))"
    r"|(?P<name>[A-Za-z][A-Za-z0-9_]*)"
    r"|(?P<operator>\*\*|<=|>=|!=|[-+*/^(),<>])"
)


class Token(NamedTuple):
    kind: str  # "number", "name", "operator" or "end"
    text: str
    at: int


def refuse(given: str, expected: str, fix: str = "see the grammar in symdsm.symbolic.grammar"):
    """The error of this room for a text that is not a formula."""
    return DeclarationError(given=given, expected=expected, fix=fix)


def tokens(text: str) -> list[Token]:
    """The tokens of `text`, closed by an "end". Raises DeclarationError."""
    if not isinstance(text, str):
        raise refuse(f"a {type(text).__name__}", "a formula as a string", "pass text, or SymPy to Kernel itself")
    if len(text) > MAX_LENGTH:
        raise refuse(f"a text of {len(text)} characters", f"at most {MAX_LENGTH}", "declare it in Python instead")
    found, at = [], 0
    while at < len(text):
        match = _PATTERN.match(text, at)
        if match is None:
            raise refuse(
                f"{text[at]!a} at position {at}",
                "numbers, names, + - * / ** ^ ( ) and commas, in ASCII",
                "spell Greek letters out (sigma), and multiply with *",
            )
        if match.lastgroup != "space":
            token = Token(match.lastgroup, match.group(), at)
            _check(token)
            found.append(token)
        at = match.end()
    return [*found, Token("end", "", len(text))]


def _check(token: Token) -> None:
    if token.kind == "number":
        mantissa, _, exponent = token.text.lower().partition("e")
        if len(mantissa) > MAX_DIGITS or abs(int(exponent[:8] or 0)) > 300:
            raise refuse(f"the number at position {token.at}", f"at most {MAX_DIGITS} digits and exponent 300")
    elif token.kind == "name":
        bad = "__" in token.text or token.text.endswith("_") or len(token.text) > MAX_NAME
        if bad or keyword.iskeyword(token.text):
            raise refuse(
                f"the name {token.text[: MAX_NAME + 1]!r} at position {token.at}",
                f"a name of at most {MAX_NAME} letters, digits and single underscores, and no Python keyword",
                "rename it, for example lam instead of lambda",
            )
