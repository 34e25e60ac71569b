r"""Expressions as LaTeX for a written proof: what people expect, in lines that fit a page.

SymPy's printer, changed where it reads badly in print:

    - x + y                ->  y - x                    a positive term first
    loggamma(L)            ->  \log\Gamma(L)
    polygamma(0, L)        ->  \digamma(L)              psi is the network
    lam, eps               ->  \lambda, \varepsilon

A formula wider than a line is broken between the terms of a sum; a wide finite sum_i (a_i + b_i) is written as the
sums of its terms. A single term that is still too wide has its large parts named u_1, u_2, ..; they are defined in the
lines that follow, and putting them back gives the formula again.
Only commands of amsmath and amssymb are used, and only ASCII.
"""

import re
from dataclasses import dataclass

import sympy as sp
from sympy.core.alphabets import greeks
from sympy.printing.latex import LatexPrinter

from symdsm.symbolic.indexed_nodes import LogDet, Solve

__all__ = ["LINE", "Writer", "escaped", "width"]

LINE = 44.0  # glyphs of a line beside a left-hand side, on article's default page
_GREEK = {"lam": r"\lambda", "eps": r"\varepsilon", "lamda": r"\lambda"}
_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_SPECIAL |= {c: f"\\{c}" for c in "{}_$&%#"} | {"<": "$<$", ">": "$>$", "|": "$|$", "*": "$*$"}


def escaped(text: str) -> str:
    """Plain text for LaTeX."""
    return "".join(_SPECIAL.get(c, c) for c in text.encode("ascii", "replace").decode())


class _Printer(LatexPrinter):
    def _print_Symbol(self, expr, style="plain"):
        if expr.name in _GREEK:
            return _GREEK[expr.name]
        text = super()._print_Symbol(expr, style)
        return rf"\mathrm{{{text}}}" if re.fullmatch("[A-Za-z]{2,}", text) else text

    _print_Dummy = _print_Symbol

    def _print_Add(self, expr, order=None):
        terms = _terms(expr)
        text = self._print(terms[0])
        for term in terms[1:]:
            shown = self._print(term)
            text += f" - {shown[1:].lstrip()}" if shown.startswith("-") else f" + {shown}"
        return text

    def _print_loggamma(self, expr, exp=None):
        text = rf"\log \Gamma\left({self._print(expr.args[0])}\right)"
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"

    def _print_polygamma(self, expr, exp=None):
        order, at = expr.args
        mark = "" if order == 0 else rf"^{{({self._print(order)})}}"
        text = rf"\digamma{mark}\left({self._print(at)}\right)"
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"


def _terms(expr: sp.Add) -> list[sp.Expr]:
    """Bare symbols, then the other terms in SymPy's order; the first positive one moved to the front."""
    terms = sorted(expr.as_ordered_terms(), key=lambda t: not t.is_Symbol)
    first = next((t for t in terms if not t.could_extract_minus_sign() and not _starts_negative(t)), None)
    return terms if first is None else [first, *(t for t in terms if t is not first)]


def _starts_negative(term: sp.Expr) -> bool:
    return bool(term.as_coeff_Mul()[0].is_negative)


def width(expr: sp.Basic) -> float:
    """How many glyphs wide the formula is in print, roughly."""
    if isinstance(expr, sp.Symbol):
        _, *marks = expr.name.split("_")
        return 1.0 + 0.7 * sum(1.0 if mark in greeks else len(mark) + 0.5 for mark in marks)
    if expr.is_Number:
        return float(len(str(expr)) if not expr.is_Rational or expr.is_Integer else len(str(expr.p)))
    if isinstance(expr, sp.Indexed):
        return 1.0 + 0.7 * sum(width(i) for i in expr.indices)
    if isinstance(expr, sp.Add):
        return sum(width(a) + 3.0 for a in expr.args) - 3.0
    if isinstance(expr, sp.Mul):
        top, bottom = sp.fraction(expr)
        if bottom != 1:
            return max(width(top), width(bottom)) + 0.5
        return sum(width(a) + (2.0 if a.is_Add else 0.3) for a in expr.args)
    if isinstance(expr, sp.exp):
        return 1.0 + 0.7 * width(expr.args[0])
    if isinstance(expr, sp.Pow):
        if expr.exp.could_extract_minus_sign():
            return width(expr.base**-expr.exp)
        return width(expr.base) + (2.0 if expr.base.is_Add else 0.0) + 0.7 * width(expr.exp)
    if isinstance(expr, sp.Piecewise):
        return max(width(value) + width(condition) for value, condition in expr.args) + 8.0
    if isinstance(expr, (sp.Sum, sp.Product)):
        return 3.5 + width(expr.function)
    if not expr.args:
        return 2.0
    name = 2.0 if isinstance(expr, (sp.Abs, sp.core.relational.Relational)) else 2.0 + len(type(expr).__name__) * 0.7
    return name + sum(width(a) + 1.0 for a in expr.args)


@dataclass(frozen=True)
class Writer:
    """Prints expressions; `names` puts other symbols in their place (the variable of the noise, the y of a block)."""

    names: dict[sp.Symbol, sp.Symbol]

    def tex(self, expr: sp.Basic) -> str:
        return _Printer().doprint(expr.xreplace(self.names))

    def lines(self, expr: sp.Basic, room: float = LINE) -> tuple[str, ...]:
        """The formula in lines that fit; a continued line starts with its sign."""
        expr = expr.xreplace(self.names)
        if not isinstance(expr, sp.Add) or width(expr) <= room:
            return (self.tex(expr),)
        out, used = [""], 0.0
        for term in _terms(expr):
            shown, wide = self.tex(term), width(term) + 3.0
            if used and used + wide > room:
                out.append("")
                used = 0.0
            sign = "" if shown.startswith("-") or (len(out) == 1 and not out[-1]) else "+ "
            out[-1] = f"{out[-1]} {sign}{shown}".strip()
            used += wide
        return tuple(out)

    def broken(self, expr: sp.Basic, room: float = LINE) -> tuple[tuple[str, ...], list[tuple[str, tuple[str, ...]]]]:
        """(lines of the formula, definitions of the parts that were named)."""
        short, parts = _named(_split(expr, room), room)
        definitions = []
        for symbol, part in parts:
            if isinstance(part, sp.Lambda):
                index = ", ".join(map(self.tex, part.variables))
                left, part = rf"\left({self.tex(symbol)}\right)_{{{index}}}", part.expr
            else:
                left = self.tex(symbol)
            definitions.append((left, self.lines(part, room)))
        return self.lines(short, room), definitions


def _split(expr: sp.Basic, room: float) -> sp.Basic:
    """The same terms, numbers multiplied out, each wide finite sum over an Add as the sums of its terms."""
    if not isinstance(expr, sp.Expr):
        return expr
    return sp.Add(*[_split_term(term, room) for term in sp.Add.make_args(expr)])


def _split_term(term: sp.Expr, room: float) -> sp.Expr:
    number, rest = term.as_coeff_Mul()
    if rest.is_Add:
        return sp.Add(*[_split_term(number * part, room) for part in rest.args])
    sums = [f for f in sp.Mul.make_args(term) if isinstance(f, sp.Sum)]
    if width(term) <= room or len(sums) != 1 or term.has(sp.oo):
        return term
    body, factor = sp.expand_mul(sums[0].function), term / sums[0]
    if not body.is_Add:
        return term
    return sp.Add(*[factor * sp.Sum(part, *sums[0].limits) for part in body.args])


def _named(expr: sp.Basic, room: float) -> tuple[sp.Basic, list[tuple[sp.Symbol, sp.Basic]]]:
    """The formula with matrices, and parts of terms that are too wide, under names of their own."""
    parts: list[tuple[sp.Symbol, sp.Basic]] = []
    matrices: dict[str, sp.Lambda] = {}
    for matrix in _matrices(expr):
        expr = expr.xreplace({matrix: matrices.setdefault(_in_order(matrix), matrix)})
    short = expr
    for matrix in matrices.values():
        parts.append((_fresh("M", len(parts), expr), matrix))
        short = short.xreplace({matrix: parts[-1][0]})
    while len(parts) < 12:
        wide = [t for t in sp.Add.make_args(short) if width(t) > room]
        found = _best_part(wide[0], room) if wide else None
        if found is None:
            break
        parts.append((_fresh("u", len(parts), expr), found))
        short = short.xreplace({found: parts[-1][0]})
    restored = short
    for symbol, part in reversed(parts):
        restored = restored.xreplace({symbol: part})
    return (short, parts) if restored == expr else (expr, [])


def _matrices(expr: sp.Basic) -> list[sp.Lambda]:
    found = {m for node in expr.atoms(LogDet, Solve) for m in node.args[:1] if isinstance(m, sp.Lambda)}
    return sorted(found, key=str)


def _in_order(matrix: sp.Lambda) -> str:
    """The matrix with its bound indices counted, the same text for matrices that differ in their names only."""
    bound = [*matrix.variables]
    for node in sp.preorder_traversal(matrix.expr):
        bound += [v for v in getattr(node, "bound_symbols", []) if v not in bound]
    return str(matrix.xreplace({v: sp.Symbol(f"_b{k}", integer=True) for k, v in enumerate(bound)}))


def _fresh(letter: str, count: int, expr: sp.Basic) -> sp.Symbol:
    taken = {s.name for s in expr.atoms(sp.Symbol)}
    while f"{letter}_{count + 1}" in taken:
        count += 1
    return sp.Symbol(f"{letter}_{count + 1}", real=True)


def _best_part(term: sp.Expr, room: float) -> sp.Expr | None:
    """The part whose name saves most: it fits a line, or breaks into lines, and no bound index occurs in it."""
    bound = {v for s in term.atoms(sp.Sum, sp.Product) for v in s.variables}
    bound |= {v for f in term.atoms(sp.Lambda) for v in f.variables}

    def may_be_named(e):
        breaks = e.is_Add and all(width(a) <= room for a in e.args)
        fits = room / 5 < width(e) and (width(e) <= room or breaks)
        plain_part = isinstance(e, sp.Expr) and not isinstance(e, (sp.Lambda, sp.IndexedBase))
        return fits and e is not term and plain_part and not e.free_symbols & bound

    candidates = {e for e in sp.preorder_traversal(term) if may_be_named(e)}
    if not candidates:
        return None
    count = {e: sum(1 for s in sp.preorder_traversal(term) if s == e) for e in candidates}
    return max(candidates, key=lambda e: (count[e] * (width(e) - 2.0), str(e)))
