"""Coupled log densities in index notation, of any size.

A coupled kernel is an expression L(y, x, parameters) built from sums over indexed symbols, for example

    L = -1/2 sum_ij P[i, j] (y[i] - x[i]) (y[j] - x[j]).

Its derivative in y is found by walking the expression backwards (see indexed_adjoint): no size is ever needed, so
deriving for ten coordinates and for a million costs the same. Sizes are the symbols in the limits of sums; they are
read from the arrays' shapes and are never parameters.
"""

from dataclasses import dataclass

import sympy as sp

from symdsm.errors import DeclarationError
from symdsm.symbolic.given import expression
from symdsm.symbolic.indexed_adjoint import Contribution, adjoint
from symdsm.symbolic.indexed_form import Form
from symdsm.symbolic.indexed_nodes import Axis, LogDet, Solve
from symdsm.symbolic.indexed_shapes import lengths, readings
from symdsm.symbolic.indexed_words import Words, in_event_index

__all__ = ["IndexedDensity", "declare", "event_indices", "parameter_derivative", "score_expression"]


@dataclass(frozen=True)
class IndexedDensity:
    """A coupled log density in normal form.

    `expr` is written in real symbols with bound indices of its own; `restore` puts the user's symbols back.
    `shapes` tells the length of each axis of each array in terms of `sizes`, `readings` how the sizes are read.
    `positive_definite` are the matrices that are symmetric positive definite because a log determinant or a linear
    solve needs them to be.
    """

    expr: sp.Expr
    noisy: sp.IndexedBase
    clean: sp.IndexedBase | sp.Symbol
    event_ndim: int
    scalar_params: tuple[sp.Symbol, ...]
    array_params: tuple[sp.IndexedBase, ...]
    sizes: tuple[sp.Symbol, ...]
    shapes: dict
    readings: tuple
    positive_definite: tuple[sp.IndexedBase, ...]
    given: dict

    def restore(self, e):
        """The same expression in the symbols and bases as they were declared."""
        return Words(self.given).of(e)

    def own(self, symbol):
        """The real symbol that stands for one of the user's."""
        return next((real for real, given in self.given.items() if given == symbol), symbol)

    @property
    def score(self) -> list[Contribution]:
        """The derivative in the noisy array, as contributions."""
        return adjoint(self.expr, self.noisy)

    def __hash__(self):
        return hash((self.expr, self.noisy, self.clean))


def declare(log_density: sp.Expr, noisy, clean, positive: bool = False) -> IndexedDensity:
    """The normal form of a coupled log density.

    `log_density` is a scalar expression in `noisy` (an IndexedBase with one to three indices), `clean` (an
    IndexedBase or a Symbol) and parameters (symbols and IndexedBases). With `positive` the entries of `noisy` are
    taken as positive, as on a half line. Raises DeclarationError for free indices,
    sizes that no shape tells, integer or complex arrays, and arrays used without an index.
    """
    raw = expression(log_density, "the log density")
    if not isinstance(noisy, sp.IndexedBase):
        raise DeclarationError(given=f"noisy={noisy!r}", expected="an IndexedBase", fix='use noisy=sp.IndexedBase("y")')
    if not isinstance(raw, sp.Expr) or not any(e.base == noisy for e in raw.atoms(sp.Indexed)):
        raise DeclarationError(
            given=f"{raw}", expected=f"an expression with entries of {noisy}", fix=f"index the noise: {noisy}[i]"
        )
    raw, rename = _real(raw, noisy, clean, positive)
    form = Form(rename)
    expr = form.of(raw)
    real = lambda s: rename.get(s, s)  # noqa: E731
    y, x = real(noisy), real(clean)
    _refuse_free_indices(expr, form)
    shapes = lengths(expr, form.ranges, y)
    bases = tuple(sorted((b for b in shapes if b not in (y, x)), key=str))
    sizes = tuple(sorted({s for s in rename.values() if s.is_Symbol and s in _size_symbols(form, shapes)}, key=str))
    labels = {b.label for b in shapes} | set(sizes)
    scalars = {s for s in expr.free_symbols if s.is_Symbol and not isinstance(s, Axis)} - labels - {x}
    _refuse_clashes(shapes, x, y)
    definite = {str(_matrix_name(node)) for node in expr.atoms(LogDet, Solve) if _is_definite(node)}
    return IndexedDensity(
        expr=expr,
        noisy=y,
        clean=x,
        event_ndim=len(shapes[y]),
        scalar_params=tuple(sorted(scalars, key=str)),
        array_params=bases,
        sizes=sizes,
        shapes=shapes,
        readings=tuple(readings(shapes, set(sizes))),
        positive_definite=tuple(b for b in bases if str(b) in definite),
        given={real: given for given, real in rename.items()},
    )


def event_indices(d: IndexedDensity) -> tuple[sp.Symbol, ...]:
    """The free indices of `score_expression`: j, or j and k, or j, k and l, as long as these names are free."""
    taken = {s.name for s in d.expr.atoms(sp.Symbol) if not isinstance(s, Axis)}
    names = [n for n in ("j", "k", "l", "p", "q", "r", "j0", "k0", "l0") if n not in taken]
    return tuple(sp.Symbol(n, integer=True) for n in names[: d.event_ndim])


def score_expression(d: IndexedDensity) -> sp.Expr:
    """d log p / d y[j] for people: one term per occurrence of y, each with the range of j where it counts."""
    event = event_indices(d)
    terms = [in_event_index(c, event, d.shapes[d.noisy]) for c in d.score]
    return d.restore(sp.Add(*terms))


def parameter_derivative(d: IndexedDensity, symbol: sp.Symbol) -> sp.Expr:
    """The derivative of the log density, as it was given, in a scalar parameter (the level, say)."""
    return d.restore(derivative_in(d, symbol))


def derivative_in(d: IndexedDensity, symbol: sp.Symbol) -> sp.Expr:
    """`parameter_derivative` in the symbols of d.expr."""
    parts = adjoint(d.expr, d.own(symbol))
    return sp.Add(*(sp.Sum(c.seed, *c.limits) if c.limits else c.seed for c in parts))


def _real(raw, noisy, clean, positive_noise):
    """The expression with real positive sizes, and what each base and scalar is to be called inside."""
    bound, sizes, labels = set(), set(), set()
    for e in raw.atoms(sp.Sum, sp.Product):
        bound |= {limit[0] for limit in e.limits}
        sizes |= {s for limit in e.limits for bounds in limit[1:] for s in bounds.free_symbols}
    for e in raw.atoms(LogDet, Solve):
        sizes |= e.args[1].free_symbols if len(e.args) > 1 else set()
        labels |= {e.args[0]}
        for part in e.args[:3]:
            bound |= set(part.variables) if isinstance(part, sp.Lambda) else set()
    bases = {e.base for e in raw.atoms(sp.Indexed)} | {b for b in (noisy, clean) if isinstance(b, sp.IndexedBase)}
    for base in bases:
        sizes |= {s for length in base.shape or () for s in length.free_symbols}
    sizes = {s for s in sizes - bound if s.is_Symbol}
    positive = {s: sp.Symbol(s.name, integer=True, positive=True) for s in sizes}
    rename = {s: s for s in positive.values()} | positive
    for base in sorted(bases, key=str):
        real = _real_base(base, positive, positive_noise and base == noisy)
        rename |= {base.xreplace(positive): real, base: real}
    names = {str(b) for b in bases}
    for s in sorted(_bare(raw) - sizes - bound - labels, key=str):
        if s.name in names:
            raise DeclarationError(
                given=f"{s} both with and without an index",
                expected="arrays with an index everywhere",
                fix=f"write {s}[i], or rename the scalar",
            )
        rename[s] = _real_symbol(s)
    return raw.xreplace(positive), rename


def _bare(e):
    """The symbols of e that are not names of arrays."""
    if isinstance(e, sp.Indexed):
        return set().union(*map(_bare, e.indices))
    if isinstance(e, sp.Symbol):
        return {e}
    return set().union(*map(_bare, e.args))


def _real_base(base, sizes, positive):
    facts = base.assumptions0
    if facts.get("integer") or facts.get("real") is False:
        kind = "integer" if facts.get("integer") else "complex"
        raise DeclarationError(
            given=f"{base} declared {kind}",
            expected="an array of real numbers: score matching needs a density on the real line",
            fix=f'declare sp.IndexedBase("{base}", real=True)',
        )
    keep = {k: True for k in ("positive", "nonnegative", "negative") if facts.get(k)} | (
        {"positive": True} if positive else {}
    )
    shape = None if base.shape is None else tuple(sp.sympify(s).xreplace(sizes) for s in base.shape)
    return sp.IndexedBase(sp.Symbol(str(base.label)), shape=shape, real=True, **keep)


def _real_symbol(s):
    if s.is_real is False:
        raise DeclarationError(
            given=f"{s} declared complex", expected="a real parameter", fix=f'sp.Symbol("{s}", real=True)'
        )
    return s if s.is_real else sp.Symbol(s.name, real=True)


def _size_symbols(form, shapes):
    used = {s for bounds in form.ranges.values() for b in bounds for s in b.free_symbols}
    return used | {s for axes in shapes.values() for length in axes for s in length.free_symbols}


def _refuse_free_indices(expr, form):
    sizes = {s for bounds in form.ranges.values() for b in bounds for s in b.free_symbols}
    for entry in sorted(expr.atoms(sp.Indexed), key=str):
        for index in entry.indices:
            for s in index.free_symbols:
                if not isinstance(s, Axis) and s not in sizes:
                    raise DeclarationError(
                        given=f"{entry} with the free index {s}",
                        expected="every index bound by a sum or a product",
                        fix=f"wrap it: Sum(.., ({s}, 0, n - 1))",
                    )


def _refuse_clashes(shapes, clean, noisy):
    if isinstance(clean, sp.IndexedBase) and clean == noisy:
        raise DeclarationError(
            given=f"{clean} as both clean and noisy", expected="two arrays", fix='use sp.IndexedBase("x") for clean'
        )
    if not 1 <= len(shapes[noisy]) <= 3:
        raise DeclarationError(
            given=f"{noisy} with {len(shapes[noisy])} indices",
            expected="events with one, two or three axes",
            fix="flatten the further axes",
        )


def _matrix_name(node):
    matrix = node.args[0]
    if isinstance(matrix, sp.Lambda):
        return matrix.expr.base if isinstance(matrix.expr, sp.Indexed) else None
    return matrix


def _is_definite(node):
    return isinstance(node, LogDet) or node.form == "positive"
