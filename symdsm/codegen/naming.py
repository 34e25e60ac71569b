"""Common subexpressions, with the names that a reader would give them.

    y - x                   residual            (y - x)/s        z
    y/x                     ratio               log(y/x)         log_ratio
    y*x - like products     t0, t1, ...         powers of a name stay products of it

The order is SymPy's canonical order, so that the same kernel gives the same text everywhere.
"""

from collections.abc import Iterator

import sympy as sp

__all__ = ["shared"]


def shared(exprs: list[sp.Expr], y: sp.Symbol, x: sp.Symbol) -> tuple[list[tuple[sp.Symbol, sp.Basic]], list[sp.Expr]]:
    """[(name, expression), ...] in order of use, and the expressions in these names."""
    residual = sp.Symbol("residual", real=True)
    prepared = [_with_residual(e, y, x, residual) for e in exprs]
    taken = {s.name for e in exprs for s in e.free_symbols} | {"key", "inside"}
    replacements, reduced = sp.cse(prepared, symbols=_counter(taken), list=True)
    if any(e.has(residual) for e in reduced) or any(e.has(residual) for _, e in replacements):
        replacements = [(residual, y - x), *replacements]
    return _named(replacements, reduced, y, x, taken)


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


def _named(replacements, reduced, y, x, taken):
    known = {
        y / x: "ratio",
        sp.log(y / x): "log_ratio",
        sp.log(y): "log_y",
        sp.log(x): "log_x",
        1 / y: "inverse_y",
    }
    renaming, meaning, count, out = {}, {}, 0, []
    for symbol, value in replacements:
        value = value.xreplace(renaming)
        full = value.xreplace(meaning)
        if symbol.name == "residual":
            out.append((symbol, value))
            continue
        name = known.get(full)
        if name is None and full.is_Mul and symbol.name.startswith("t"):
            residual = sp.Symbol("residual", real=True)
            rest = full / residual
            name = "z" if residual not in rest.free_symbols and full.has(residual) and rest.is_positive else None
        if name is None or name in taken or name in {s.name for s, _ in out}:
            while f"t{count}" in taken:
                count += 1
            name, count = f"t{count}", count + 1
        new = sp.Symbol(name, **symbol._assumptions_orig)
        renaming[symbol] = new
        meaning[new] = full
        out.append((new, value))
    return out, [e.xreplace(renaming) for e in reduced]
