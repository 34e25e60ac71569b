r"""Kernels from text (command line, JSON): our own parser of a small grammar. No Python is evaluated.

    kernel     = expression [ "where" clause { "," clause } ]
    clause     = name ( ">" | ">=" | "<" | "<=" | "!=" ) "0"  |  name word
    word       = "real" | "positive" | "negative" | "nonnegative" | "nonpositive" | "nonzero" | "integer"
    expression = number | name | function "(" expression { "," expression } ")" | "(" expression ")"
               | "-" expression | expression operator expression
    operator   = + - * / ** ^          ^ is **, binds to the right and stronger than a minus in front

Functions are those of FUNCTIONS, distributions the continuous univariate ones of `sympy.stats` (DISTRIBUTIONS), with
SymPy's own argument order. A distribution as the whole expression declares the noisy symbol itself, as in
`Normal(x, sigma)`; inside an expression it is the noise, as in `x*Gamma(L, 1/L)`.

The clean symbol x and the noisy symbol y are real, all other names are positive; a `where` says otherwise. I and E are
numbers in SymPy, so they are names here only where a `where` says so. Text is
bounded in length, nesting, numbers and exponents (`symdsm.symbolic.limits`), and the result must be real and finite.
The parser is Pratt's: one loop over binding powers. Source: Pratt 1973, Top down operator precedence.
"""

import inspect
from collections.abc import Mapping

import sympy as sp
import sympy.stats as st
from sympy.stats import crv_types, random_symbols

from symdsm.symbolic.budget import OutOfTime, bounded
from symdsm.symbolic.limits import admissible_argument, admissible_number, admissible_power
from symdsm.symbolic.stand_ins import DISCRETE_STAND_INS, discrete
from symdsm.symbolic.tokens import Token, refuse, tokens

__all__ = ["DISTRIBUTIONS", "FUNCTIONS", "parse_expression", "parse_kernel"]

MAX_DEPTH = 50
SECONDS = 5.0

FUNCTIONS = {
    "exp": sp.exp, "log": sp.log, "sqrt": sp.sqrt, "cbrt": lambda u: sp.cbrt(u), "abs": sp.Abs, "sign": sp.sign,
    "sin": sp.sin, "cos": sp.cos, "tan": sp.tan, "asin": sp.asin, "acos": sp.acos, "atan": sp.atan,
    "sinh": sp.sinh, "cosh": sp.cosh, "tanh": sp.tanh, "asinh": sp.asinh, "acosh": sp.acosh, "atanh": sp.atanh,
    "erf": sp.erf, "erfc": sp.erfc, "gamma": sp.gamma, "loggamma": sp.loggamma, "digamma": sp.digamma,
    "beta": sp.beta, "lowergamma": sp.lowergamma, "uppergamma": sp.uppergamma,
    "besseli": sp.besseli, "besselj": sp.besselj, "besselk": sp.besselk,
    "log1p": lambda u: sp.log(1 + u), "expm1": lambda u: sp.exp(u) - 1,
    "sigmoid": lambda u: 1 / (1 + sp.exp(-u)),
}  # fmt: skip
_ARITY = dict.fromkeys(("beta", "lowergamma", "uppergamma", "besseli", "besselj", "besselk"), 2)
CONSTANTS = {"pi": sp.pi}
_NO_NUMBERS = ("oo", "zoo", "nan", "inf")
_SYMPY_NUMBERS = {"I": "rename it", "E": "write exp(1)"}
_WORDS = ("real", "positive", "negative", "nonnegative", "nonpositive", "nonzero", "integer")
_SIGNS = {">": "positive", ">=": "nonnegative", "<": "negative", "<=": "nonpositive", "!=": "nonzero"}


def _arguments(distribution) -> tuple[str, ...]:
    parameters = list(inspect.signature(distribution).parameters.values())[1:]
    return tuple(p.name for p in parameters if p.name != "minimum")


DISTRIBUTIONS = {name: _arguments(getattr(crv_types, name)) for name in crv_types.__all__ if name != "ContinuousRV"}

# Binding power to the left and to the right: ** binds to the right.
_POWERS = {"+": (10, 11), "-": (10, 11), "*": (20, 21), "/": (20, 21), "**": (41, 40), "^": (41, 40)}
_PREFIX = 30


def parse_expression(text: str, symbols: Mapping[str, sp.Symbol] | None = None) -> sp.Expr:
    """The expression that `text` writes, with the given symbols under their names and the others by the defaults.

    Raises DeclarationError for anything outside the grammar, distributions included.
    """
    expr, _ = _parse(text, dict(symbols or {}), allow_noise=False)
    return expr


def parse_kernel(text: str, clean: str = "x", level: str | None = None) -> tuple[sp.Expr, sp.Symbol, sp.Symbol | None]:
    """(expression with one random symbol, clean symbol, level symbol or None), for `Kernel.from_random`.

    Raises DeclarationError for anything outside the grammar, no noise, noise that occurs twice, a discrete
    distribution (the message names a continuous stand-in), and a clean symbol or level that does not occur.
    """
    for name in (clean, level):
        if name is not None and not (isinstance(name, str) and [k.kind for k in tokens(name)] == ["name", "end"]):
            raise refuse(f"the name {name!a}", "one name, such as x")
    expr, table = _parse(text, {}, allow_noise=True, clean=clean)
    if "y" in table:
        raise refuse("a parameter called y", "another name: y is the noisy symbol", "rename the parameter")
    noise = random_symbols(expr)
    if len(noise) != 1:
        raise refuse(
            "no distribution" if not noise else f"{len(noise)} distributions",
            "exactly one distribution: each occurrence is a noise of its own",
            "write Normal(x, sigma), or x + sigma*StudentT(nu); collect noise that occurs twice",
        )
    law = noise[0].pspace.distribution
    free = {s.name for s in (expr.free_symbols | law.free_symbols) - set(noise)}
    for role, name in (("clean symbol", clean), ("level", level)):
        if name is not None and name not in free:
            raise refuse(f"an expression without the {role} {name}", f"the {role} {name} in it", f"name the {role}")
    return expr, table[clean], table[level] if level is not None else None


def _parse(text: str, given: dict[str, sp.Symbol], allow_noise: bool, clean: str = "x"):
    stream = tokens(text)
    cut = next((k for k, token in enumerate(stream) if token == ("name", "where", token.at)), None)
    body, clauses = (
        (stream, []) if cut is None else ([*stream[:cut], Token("end", "", stream[cut].at)], stream[cut + 1 :])
    )
    assumptions = _where(clauses) if cut is not None else {}
    parser = _Parser(body, given, assumptions, allow_noise, clean)
    try:
        expr = bounded(SECONDS, parser.whole)
    except OutOfTime:
        raise refuse("a formula that SymPy cannot evaluate", f"less than {SECONDS:g} s") from None
    except RecursionError:
        raise refuse("a formula nested too deeply", f"at most {MAX_DEPTH} levels") from None
    unknown = sorted(set(assumptions) - set(parser.table))
    if unknown or set(assumptions) & set(given):
        names = unknown or sorted(set(assumptions) & set(given))
        raise refuse(f"'where' about {', '.join(names)}", "a name of the formula that has no assumptions yet")
    if expr.has(sp.zoo, sp.nan, sp.oo, -sp.oo, sp.I) or any(map(_is_complex, sp.preorder_traversal(expr))):
        raise refuse(f"{text!r}, which is {expr}", "a real and finite formula", "state the signs after 'where'")
    return expr, parser.table


def _is_complex(part: sp.Basic) -> bool:
    return isinstance(part, sp.Expr) and part.is_extended_real is False


def _where(stream: list[Token]) -> dict[str, dict[str, bool]]:
    """{name: assumptions} of the clauses after `where`."""
    found: dict[str, dict[str, bool]] = {}
    position = 0
    while True:
        name, relation, zero = (*stream[position : position + 3], Token("end", "", -1), Token("end", "", -1))[:3]
        if name.kind == "name" and relation.text in _SIGNS and zero.text == "0":
            fact, position = _SIGNS[relation.text], position + 3
        elif name.kind == "name" and relation.text in _WORDS:
            fact, position = relation.text, position + 2
        else:
            raise refuse(
                f"a 'where' that goes wrong at {name.text or 'its end'!r}",
                "name > 0, name < 0, name >= 0, name <= 0, name != 0, or name followed by one of " + ", ".join(_WORDS),
                "write, for example: where x > 0, L > 0, a real",
            )
        found.setdefault(name.text, {})[fact] = True
        after, position = stream[position], position + 1
        if after.kind == "end":
            return found
        if after.text != ",":
            raise refuse(f"{after.text!r} at position {after.at}", "a comma between the clauses")


class _Parser:
    """Pratt's loop over one list of tokens."""

    def __init__(self, stream, given, assumptions, allow_noise, clean):
        self.stream, self.position, self.depth = stream, 0, 0
        self.table, self.assumptions = dict(given), assumptions
        self.allow_noise, self.clean = allow_noise, clean
        self.noise_name = "y" if self._is_one_call() else self._fresh("noise")
        self.inside_noise, self.count = False, 0

    def whole(self) -> sp.Expr:
        expr = self.expression(0)
        if self.now.kind != "end":
            raise self.unexpected("an operator or the end")
        return expr

    @property
    def now(self) -> Token:
        return self.stream[self.position]

    def take(self, text: str | None = None) -> Token:
        token = self.now
        if text is not None and token.text != text:
            raise self.unexpected(f"'{text}'")
        self.position += 1
        return token

    def unexpected(self, expected: str):
        shown = f"{self.now.text!r} at position {self.now.at}" if self.now.text else "the end of the formula"
        return refuse(shown, expected, "balance the parentheses and write * for every product")

    def expression(self, least: int) -> sp.Expr:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise refuse(
                "a formula nested too deeply", f"at most {MAX_DEPTH} levels", "split it, or declare it in Python"
            )
        left = self.prefix()
        while self.now.text in _POWERS and _POWERS[self.now.text][0] >= least:
            operator = self.take().text
            left = self.combine(operator, left, self.expression(_POWERS[operator][1]))
        self.depth -= 1
        return left

    def prefix(self) -> sp.Expr:
        token = self.now
        if token.kind == "number":
            return sp.Rational(self.take().text)
        if token.kind == "name":
            return self.name(self.take())
        if token.text == "-":
            self.take()
            return -self.expression(_PREFIX)
        if token.text == "+":
            self.take()
            return self.expression(_PREFIX)
        if token.text == "(":
            self.take()
            inner = self.expression(0)
            self.take(")")
            return inner
        raise self.unexpected("a number, a name, a minus or '('")

    def combine(self, operator: str, left: sp.Expr, right: sp.Expr) -> sp.Expr:
        if operator == "+":
            return admissible_number(left + right)
        if operator == "-":
            return admissible_number(left - right)
        if operator == "*":
            return admissible_number(left * right)
        if operator == "/" and right == 0:
            raise refuse(f"a division of {left} by zero", "a finite formula")
        if operator == "/":
            return admissible_number(left / right)
        admissible_power(left, right)
        return left**right

    def name(self, token: Token) -> sp.Expr:
        if self.now.text == "(":
            return self.call(token)
        if token.text in CONSTANTS and token.text not in self.table:
            return CONSTANTS[token.text]
        if token.text in _NO_NUMBERS and token.text not in self.table:
            raise refuse(
                f"{token.text} at position {token.at}", "finite numbers and names", "write a number, or rename it"
            )
        if token.text in _SYMPY_NUMBERS and token.text not in {*self.table, *self.assumptions, self.clean}:
            raise refuse(
                f"{token.text} at position {token.at}, which is a number in SymPy",
                "a name that says what it is",
                f"{_SYMPY_NUMBERS[token.text]}; for a parameter of that name add: where {token.text} > 0",
            )
        if token.text in DISTRIBUTIONS or token.text in DISCRETE_STAND_INS:
            raise refuse(f"{token.text} without arguments", f"{token.text}(...)", "write its parameters")
        if token.text not in self.table:
            default = {"real": True} if token.text in (self.clean, "x", "y") else {"positive": True}
            self.table[token.text] = self.symbol(token.text, self.assumptions.get(token.text, default))
        return self.table[token.text]

    def symbol(self, name: str, facts: dict[str, bool]) -> sp.Symbol:
        try:
            return sp.Symbol(name, **({"real": True} | facts))
        except ValueError:
            raise refuse(f"{name} that is {' and '.join(facts)}", "assumptions that do not contradict") from None

    def call(self, token: Token) -> sp.Expr:
        name = token.text
        if name in DISCRETE_STAND_INS:
            raise discrete(name)
        if name in DISTRIBUTIONS and not self.allow_noise:
            raise refuse(f"the distribution {name}", "a formula without noise", "parse it as a kernel")
        if name not in FUNCTIONS and name not in DISTRIBUTIONS:
            spelt = next((n for n in (*DISTRIBUTIONS, *FUNCTIONS) if n.casefold() == name.casefold()), None)
            raise refuse(
                f"a call of {name} at position {token.at}",
                "a distribution of sympy.stats, or one of the functions " + ", ".join(FUNCTIONS),
                f"write {spelt}(..)" if spelt else "write products with *, and declare other functions in Python",
            )
        entered, self.inside_noise = self.inside_noise, self.inside_noise or name in DISTRIBUTIONS
        if entered and name in DISTRIBUTIONS:
            raise refuse(f"{name} inside another distribution", "one noise", "declare a hierarchy as a NumPyro program")
        args = self.arguments()
        self.inside_noise = entered
        return self.distribution(name, args) if name in DISTRIBUTIONS else self.function(name, args)

    def arguments(self) -> list[sp.Expr]:
        self.take("(")
        args = [self.expression(0)]
        while self.now.text == ",":
            self.take()
            args.append(self.expression(0))
        self.take(")")
        return args

    def function(self, name: str, args: list[sp.Expr]) -> sp.Expr:
        expected = _ARITY.get(name, 1)
        if len(args) != expected:
            raise refuse(f"{name} with {len(args)} arguments", f"{expected}")
        admissible_argument(name, *args)
        return FUNCTIONS[name](*args)

    def distribution(self, name: str, args: list[sp.Expr]) -> sp.Expr:
        expected = DISTRIBUTIONS[name]
        if len(args) != len(expected):
            raise refuse(f"{name} with {len(args)} arguments", f"{name}({', '.join(expected)})")
        self.count += 1
        label = self.noise_name if self.count == 1 else f"{self.noise_name}_{self.count}"
        try:
            return getattr(st, name)(label, *args)
        except (ValueError, TypeError, NotImplementedError) as error:
            shown = f"{name}({', '.join(map(str, args))})"
            raise refuse(shown, f"admissible parameters: {error}", "state the signs after 'where'") from None

    def _is_one_call(self) -> bool:
        """Is the whole formula one distribution, with nothing around it?"""
        depth = 0
        for k, token in enumerate(self.stream[1:-1], 1):
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if depth == 0 and k < len(self.stream) - 2:
                return False
        if self.stream[0].text not in DISTRIBUTIONS:
            return False
        return True

    def _fresh(self, name: str) -> str:
        used = {token.text for token in self.stream}
        while name in used:
            name += "1"
        return name
