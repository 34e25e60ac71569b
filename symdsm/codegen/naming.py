"""Common subexpressions, with the names that a reader would give them.

    y - x                   residual            residual**2            r2
    residual/s              z                   y/x                    ratio
    log(y/x)                log_ratio           1/s, log(s), sqrt(s)   inverse_s, log_s, root_s
    parts of centre + scale*e                   scale, variance, precision
    logs that are summed or compared            log_term, log_term1, ...
    sin, cos, sinh, cosh, tanh of anything      sine, cosine, ...
    everything else                             t0, t1, ...

A square or cube of anything but a name is a product, so its base gets a name first. The order is SymPy's canonical
order, so that the same kernel gives the same text everywhere.
"""

from collections.abc import Callable, Iterator, Mapping

import sympy as sp

from symdsm.symbolic.nodes import LSE, SignedLSE, SignedWeight, Softmax, Square

__all__ = ["compact", "cost", "shared", "statements"]

_RESIDUAL = sp.Symbol("residual", real=True)
_FUNCTIONS = {
    sp.sin: "sine",
    sp.cos: "cosine",
    sp.tan: "tangent",
    sp.sinh: "sinh",
    sp.cosh: "cosh",
    sp.tanh: "tanh",
    sp.exp: "exponential",
    sp.Abs: "distance",
}


def compact(expr: sp.Expr) -> sp.Expr:
    """The shorter of the expression and its terms with common factors taken out."""
    return min((expr, sp.factor_terms(expr)), key=lambda e: (sp.count_ops(e), str(e)))


def cost(exprs: list[sp.Expr]) -> int:
    """Operations of the expressions when what they share is computed once."""
    replacements, reduced = sp.cse(exprs, list=True)
    return sum(sp.count_ops(e) for e in (*(value for _, value in replacements), *reduced))


def statements(
    exprs: list[sp.Expr], doprint: Callable, y: sp.Symbol, x: sp.Symbol, known: Mapping[sp.Basic, str] | None = None
) -> tuple[list[str], list[str]]:
    """Lines that compute the shared parts, and the text of each expression."""
    named, reduced = shared(exprs, y, x, known)
    return [f"{s.name} = {doprint(e)}" for s, e in named], [doprint(e) for e in reduced]


def shared(
    exprs: list[sp.Expr], y: sp.Symbol, x: sp.Symbol, known: Mapping[sp.Basic, str] | None = None
) -> tuple[list[tuple[sp.Symbol, sp.Basic]], list[sp.Expr]]:
    """[(name, expression), ...] in order of use, and the expressions in these names.

    `known` holds the names of expressions that the caller knows the meaning of.
    """
    prepared = [_with_residual(e, y, x, _RESIDUAL) for e in exprs]
    taken = {s.name for e in exprs for s in e.free_symbols} | {"key", "outside", "shape", "dtype"}
    counter = _counter(taken)
    replacements, reduced = sp.cse(prepared, symbols=counter, list=True)
    replacements, reduced = _bases_of_squares(replacements, reduced, counter)
    if any(e.has(_RESIDUAL) for e in reduced) or any(e.has(_RESIDUAL) for _, e in replacements):
        replacements = [(_RESIDUAL, y - x), *replacements]
    return _named(replacements, reduced, _Meanings(exprs, y, x, known or {}), taken)


def _bases_of_squares(replacements, reduced, counter):
    """A name for each base that a printed square or cube would repeat; a square times anything is one of these."""
    out, put = [], {}

    def name(base):
        if base.is_Symbol:
            return base
        if base not in put:
            put[base] = next(counter)
            out.append((put[base], base.xreplace({b: n for b, n in put.items() if b != base})))
        return put[base]

    def factors(e):
        return sp.Mul(*(name(a.args[0]) ** 2 if isinstance(a, Square) else a for a in e.args))

    def bare(e):
        e = e.replace(_is_square_times, factors)
        powers = [p for p in e.atoms(sp.Pow) if p.exp in (2, 3, -2, -3) and p.base.args]
        for base in sorted({p.base for p in powers}, key=lambda b: (sp.count_ops(b), sp.default_sort_key(b))):
            name(base)
        return e.xreplace(put)

    for symbol, value in replacements:
        value = bare(value)
        out.append((symbol, value))
    return out, [bare(e) for e in reduced]


def _is_square_times(e) -> bool:
    """A Square times something that is not a number."""
    return e.is_Mul and any(isinstance(a, Square) for a in e.args) and sum(not a.is_number for a in e.args) > 1


def _with_residual(expr, y, x, residual):
    """y - x and x - y as one named quantity, so that both signs share it."""

    def swap(e):
        if e.is_Add and {y, x} <= set(e.args) | {-a for a in e.args}:
            cy, cx = e.coeff(y), e.coeff(x)
            if (cy, cx) in ((1, -1), (-1, 1)):
                return e - cy * y - cx * x + cy * residual
        return e

    return expr.replace(lambda e: e.is_Add, swap)


def _counter(taken: set[str]) -> Iterator[sp.Symbol]:
    k = 0
    while True:
        if f"t{k}" not in taken:
            yield sp.Symbol(f"t{k}", real=True)
        k += 1


class _Meanings:
    """What an expression is called."""

    def __init__(self, exprs, y, x, known):
        self.y, self.x, self.known = y, x, dict(known)
        self.known |= {y / x: "ratio", sp.log(y / x): "log_ratio", _RESIDUAL**2: "r2"}
        nodes = (LSE, SignedLSE, Softmax, SignedWeight)
        self.log_terms = {_with_residual(a, y, x, _RESIDUAL) for e in exprs for n in e.atoms(*nodes) for a in n.args}

    def __call__(self, e) -> str | None:
        name = self.known.get(e)
        if name is not None:
            return name
        if e in self.log_terms and e.args:
            return "log_term"
        if e.is_Pow and e.base.is_Symbol and e.exp in (-1, sp.S.Half):
            return f"{'inverse' if e.exp == -1 else 'root'}_{e.base.name}"
        if isinstance(e, sp.log) and e.args[0].is_Symbol:
            return f"log_{e.args[0].name}"
        if type(e) in _FUNCTIONS:
            return _FUNCTIONS[type(e)]
        rest = e / _RESIDUAL if e.is_Mul else None
        return "z" if rest is not None and _RESIDUAL not in rest.free_symbols and rest.is_positive else None


def _named(replacements, reduced, meanings, taken):
    renaming, meaning, used, out = {}, {}, set(taken), []
    for symbol, value in replacements:
        value = value.xreplace(renaming)
        if isinstance(value, sp.Expr) and (-value).is_Symbol:
            renaming[symbol] = value
            continue
        full = value.xreplace(meaning)
        name = "residual" if symbol == _RESIDUAL else _free(meanings(full), used)
        used.add(name)
        new = sp.Symbol(name, **symbol._assumptions_orig)
        renaming[symbol] = new
        if symbol != _RESIDUAL:
            meaning[new] = full
        out.append((new, value))
    return out, [e.xreplace(renaming) for e in reduced]


def _free(wanted: str | None, used: set[str]) -> str:
    """The wanted name, a numbered log term, or the next t."""
    if wanted is not None and wanted not in used:
        return wanted
    stem = wanted if wanted in ("log_term", "sine", "cosine", "exponential", "distance") else "t"
    k = 0 if stem == "t" else 1
    while f"{stem}{k}" in used:
        k += 1
    return f"{stem}{k}"
