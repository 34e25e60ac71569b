"""What people hand to Kernel, checked before any mathematics begins."""

from collections.abc import Iterable, Mapping
from typing import Any

import sympy as sp
from sympy.stats.joint_rv import JointRandomSymbol
from sympy.stats.rv import RandomSymbol

from symdsm.errors import DeclarationError, ParameterError
from symdsm.symbolic.coupled import CoupledDeclaration
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.given import expression
from symdsm.symbolic.joint import JointDeclaration
from symdsm.symbolic.manifolds import Manifold
from symdsm.symbolic.probe import numeric, probes

__all__ = [
    "admissible_values",
    "as_real",
    "as_column",
    "check_coordinate",
    "check_declared",
    "check_parts",
    "check_scalar",
    "check_sde",
    "check_support",
    "check_weights",
]


def as_column(value: Any) -> Any:
    """Lists and tuples as a column of SymPy expressions, matrices as immutable ones; anything else as it is."""
    if isinstance(value, sp.MatrixBase):
        return value.as_immutable()
    if isinstance(value, (list, tuple, sp.Tuple)):
        return sp.ImmutableDenseMatrix([expression(entry, "a coordinate") for entry in value])
    return value


def check_declared(expression: Any, level: Any = None, **symbols: Any) -> None:
    """An expression, symbols for y and x, and a symbol or nothing for the level. Raises DeclarationError."""
    if not isinstance(expression, (sp.Basic, int, float)):
        raise DeclarationError(
            given=f"{expression!r}, a {type(expression).__name__}",
            expected="a SymPy expression; text is read by the command line only, `symdsm derive EXPR`",
            fix='write it with symbols: x, s = sp.Symbol("x", real=True), sp.Symbol("s", positive=True)',
        )
    if "noisy" not in symbols and isinstance(expression, sp.Basic) and expression.has(sp.I):
        raise DeclarationError(
            given=f"{expression}, which holds the imaginary unit",
            expected="a real noisy value",
            fix="write it with real functions, cos(a) for (exp(I*a) + exp(-I*a))/2, or as two real coordinates",
        )
    given = symbols | ({} if level is None else {"level": level})
    for name, symbol in ((n, s) for n, v in given.items() for s in (v if isinstance(v, sp.MatrixBase) else [v])):
        if not isinstance(symbol, (sp.Symbol, sp.IndexedBase)):
            raise DeclarationError(
                given=f"{name}={symbol!r}, a {type(symbol).__name__}",
                expected="a SymPy symbol",
                fix=f"pass the very symbol of the expression, {name}=...",
            )
    if symbols["clean"] == symbols.get("noisy"):
        raise DeclarationError(
            given=f"{symbols['clean']} as both the clean and the noisy value",
            expected="two different symbols",
            fix='y = sp.Symbol("y", real=True), and pass noisy=y',
        )
    if isinstance(symbols["clean"], sp.IndexedBase) and not isinstance(symbols.get("noisy"), sp.IndexedBase):
        raise DeclarationError(
            given=f"clean={symbols['clean']} with indices and noisy={symbols.get('noisy')} without",
            expected="two IndexedBases for a kernel of arrays, two Symbols for one value",
            fix='write the noisy value as Y = sp.IndexedBase("y"), Y[i], and pass noisy=Y',
        )


def check_support(support: Any, noisy: Any) -> None:
    """None, or a SymPy set that is not empty, of arrays only for an array. Raises DeclarationError."""
    if isinstance(support, Manifold) and not isinstance(noisy, sp.IndexedBase):
        raise DeclarationError(
            given=f"support={support} for the single value {noisy}",
            expected="an array on a manifold",
            fix='write it as y = sp.IndexedBase("y"), y[i], and pass noisy=y',
        )
    countable = (sp.FiniteSet, sp.Range, sp.ImageSet, *map(type, (sp.S.Integers, sp.S.Naturals, sp.S.Naturals0)))
    if support is not None and (
        not isinstance(support, sp.Set) or support is sp.S.EmptySet or isinstance(support, countable)
    ):
        raise DeclarationError(
            given=f"support={support!r}",
            expected="a SymPy set with a length: not empty, and no list of points",
            fix="pass sp.Interval(0, 1), sp.Interval.open(0, sp.oo) or sp.S.Reals, say",
        )


def check_sde(drift: Any, diffusion: Any, state: Any, time: Any) -> None:
    """SymPy expressions and symbols; no parameter takes the name of the noisy value. Raises DeclarationError."""
    states = list(state) if isinstance(state, sp.MatrixBase) else [state]
    for symbol in states:
        for part in (drift, diffusion):
            check_declared(
                sp.S.Zero if isinstance(part, sp.MatrixBase) else part, time=time, clean=symbol, state=symbol
            )
    free = expression(drift, "the drift").free_symbols | expression(diffusion, "the diffusion").free_symbols
    if isinstance(state, sp.Symbol) and any(s.name == "y" != state.name for s in free):
        raise DeclarationError(
            given="an SDE with a parameter called y", expected="another name: y is the noisy value", fix="rename it"
        )


def check_weights(weights: Iterable) -> None:
    """SymPy expressions, not negative, that add to one. Raises DeclarationError."""
    weights = list(weights)
    texts = [w for w in weights if not isinstance(w, (sp.Expr, int, float))]
    negative = [w for w in weights if not texts and expression(w, "the weight").is_negative]
    total = None if texts else sp.cancel(sp.together(sp.Add(*map(sp.sympify, weights))))
    if texts or negative or not _is_one(total):
        wrong = texts or negative
        raise DeclarationError(
            given=f"the weight {wrong[0]!r}" if wrong else f"weights that add to {total}",
            expected="positive numbers or expressions that add to 1",
            fix="use w and 1 - w, say",
        )


def _is_one(total: sp.Expr) -> bool:
    return total == 1 or (total.is_Float and abs(total - 1) < 1e-12)


def check_coordinate(declaration: Any, transform: Any) -> None:
    """A function of SymPy expressions that is real on the support. Raises DeclarationError."""
    if not callable(transform):
        raise DeclarationError(
            given=f"the coordinate {transform!r}", expected="a function of y", fix="pass sp.log, or lambda y: y**3, say"
        )
    if not isinstance(declaration, Declaration):
        _check_entries(declaration, transform)
        return
    y, points = declaration.noisy, probes(declaration, 2, seed=13)
    symbols = [sp.Symbol(y.name, real=True), *(points[0] if points else ())]
    inside = numeric(declaration.inside, symbols)
    for point in points:
        for value in _PLACES:
            if inside(value, *point.values()) and _not_real(transform, value):
                raise DeclarationError(
                    given=f"the coordinate {transform(y)}, which is not real at {y} = {value}, a value of the support",
                    expected=f"a function that is real on the support, {declaration.support}",
                    fix="take another coordinate, or declare the kernel on the half line",
                )


def _check_entries(declaration, transform: Any) -> None:
    """A coordinate of every entry of an array."""
    if not isinstance(declaration, (CoupledDeclaration, JointDeclaration)):
        raise DeclarationError(
            given="a change of coordinate of a product, of a vector SDE or of a kernel on the simplex or the sphere",
            expected="a kernel of one value, of coordinates with noise of their own, or in index notation",
            fix="change each block by itself; or declare the noise in the new coordinate, "
            "Kernel.from_random(sp.Matrix([sp.exp(G[0]), sp.exp(G[1])]), ..) with G a joint normal symbol",
        )
    if isinstance(declaration, JointDeclaration):
        ranges = [sp.Interval.open(0, sp.oo) if y.is_positive else sp.S.Reals for y in declaration.noisy_symbols]
    else:
        ranges = [declaration.entries]
    bad = [(v, r) for r in ranges for v in _PLACES if v in r and _not_real(transform, v)]
    if bad:
        raise DeclarationError(
            given=f"the coordinate {transform(sp.Symbol('y', real=True))}, which is not real at {bad[0][0]}",
            expected=f"a function that is real on the range of each entry, {bad[0][1]}",
            fix="take another coordinate",
        )


_PLACES = (-21.7, -3.1, -0.83, -0.21, 0.17, 0.79, 3.3, 19.4)


def _not_real(transform, value: float) -> bool:
    image = expression(transform(sp.Float(value)), "the coordinate")
    return bool(image.is_number) and not image.evalf(15).is_real


_WHY = {
    "a product": "with arrays each block would have events and batches of its own shape",
    "a mixture": "its parts are all of one value, or all in index notation",
}
_INSTEAD = {
    "a product": "keep the kernels apart: their log densities and scores add, and each is a site of its own "
    "(kernel.distribution); or write one density over one array that holds both blocks",
    "a mixture": "write all parts in index notation, Kernel.from_density with noisy and clean sp.IndexedBase",
}


def check_scalar(kernels: Mapping[str, Any], what: str) -> None:
    """Kernels of one noisy value, at least one. Raises DeclarationError."""
    _check_mapping(kernels, what, "{'speed': k1, 'angle': k2}")
    for name, kernel in kernels.items():
        if isinstance(getattr(kernel, "_declaration", None), Declaration):
            continue
        is_kernel = hasattr(kernel, "_declaration")
        raise DeclarationError(
            given=f"a kernel of arrays as {name!r} in {what}" if is_kernel else f"{kernel!r} as {name!r} in {what}",
            expected="kernels of one noisy value, from from_random, from_density, a scalar SDE, mixture or change"
            + f"; {_WHY[what]}" * is_kernel,
            fix=_INSTEAD[what] if is_kernel else "build each with a Kernel constructor",
        )
    if not kernels:
        raise DeclarationError(given=f"{what} of nothing", expected="at least one kernel", fix="pass some kernels")


def _check_mapping(value: Any, what: str, example: str) -> None:
    if not isinstance(value, Mapping):
        raise DeclarationError(
            given=f"{what} of a {type(value).__name__}", expected="a dict", fix=f"write it as {example}"
        )


def check_parts(parts: Mapping) -> Any:
    """Kernels of one noisy value, and laws of sympy.stats beside them; the first kernel. Raises DeclarationError."""
    _check_mapping(parts, "a mixture", "{k1: w, k2: 1 - w}, each kernel with its weight")
    kernels = {str(k): part for k, part in enumerate(parts) if not isinstance(part, sp.Expr)}
    if parts and not kernels:
        raise DeclarationError(
            given="a mixture of laws that do not know the clean value",
            expected="at least one kernel p(y | x) beside them",
            fix='declare it first: Kernel.from_random(st.Normal("y", x, s), clean=x)',
        )
    vectors = [part for part in parts if isinstance(part, sp.Expr) and part.atoms(JointRandomSymbol)]
    if vectors:
        raise DeclarationError(
            given=f"the joint law {vectors[0]} in a mixture",
            expected="laws of one noisy value",
            fix='write the law of one entry, st.Normal("e", 0, 10), say',
        )
    first = next(iter(kernels.values()), None)
    coupled = [isinstance(getattr(k, "_declaration", None), CoupledDeclaration) for k in parts]
    if not all(coupled) or not parts:
        check_scalar(kernels, "a mixture")
    elif len({(k.event_ndim, k._declaration.entries, type(k.clean)) for k in parts}) > 1:
        raise DeclarationError(
            given="a mixture of arrays of different kinds",
            expected="kernels of one event: as many indices, entries of one range, all with a clean array or a symbol",
            fix="declare the parts over the same arrays",
        )
    return first


def admissible_values(kernel, values: Mapping) -> dict[sp.Symbol, sp.Expr]:
    """{parameter: value} with the kernel's own symbols as keys, each value within its assumptions."""
    params = {s.name: s for s in kernel.params}
    sizes = {s.name: s for s in getattr(kernel._declaration, "sizes", ())}
    put = {}
    for key, value in values.items():
        name = getattr(key, "name", str(key))
        if name in sizes and name not in params:
            put[sizes[name]] = _size(name, value)
            continue
        symbol = params.get(name)
        if symbol is None:
            raise ParameterError(
                given=f"{key} -> {value}, where {key} is no parameter",
                expected=f"one of {', '.join([*params, *sizes]) or 'no parameters'}",
                fix="kernel.params lists them; the clean and the noisy symbol stay",
            )
        if not isinstance(value, (int, float, sp.Expr)) or isinstance(value, bool):
            raise ParameterError(
                given=f"{key} -> {value!r}", expected="a number or a SymPy expression", fix=f"pass {{{key}: 2.0}}, say"
            )
        value = expression(value, f"{key} ->")
        for fact in ("positive", "nonnegative", "negative", "real"):
            if getattr(symbol, f"is_{fact}") and getattr(value, f"is_{fact}") is False:
                raise ParameterError(
                    given=f"{key} -> {value}", expected=f"a {fact} value for {key}", fix=f"pass a {fact} value"
                )
        put[symbol] = value
    return put


def _size(name: str, value) -> sp.Integer:
    """The length of an axis."""
    number = sp.sympify(value) if isinstance(value, (int, sp.Expr)) and not isinstance(value, bool) else None
    if number is None or not number.is_Integer or number < 1:
        raise ParameterError(
            given=f"{name} -> {value!r}", expected="a whole number from 1 on: a length", fix=f"pass {{{name}: 8}}, say"
        )
    return number


def as_real(*expressions):
    """Symbols without assumptions are taken as real, integer shapes as real ones; `names` gives the user's back.

    (SymPy writes loggamma of an integer symbol as log(gamma(k)), which overflows.)
    """
    free = {s for e in expressions if isinstance(e, sp.Basic) for s in _symbols(e)}
    free = {s for s in free if s.is_real is None or s.is_integer}
    to_real = {s: _real_symbol(s) for s in free if s.is_commutative}
    moved = [e.xreplace(to_real) if isinstance(e, sp.Basic) else e for e in expressions]
    return {real: s for s, real in to_real.items()}, moved


def _symbols(expression: sp.Basic) -> set[sp.Symbol]:
    """The free symbols, and those in the parameters of random symbols, which SymPy does not count as free."""
    randoms = expression.atoms(RandomSymbol)
    inner = {s for r in randoms for a in r.pspace.distribution.args for s in a.free_symbols}
    return {s for s in expression.free_symbols - randoms | inner if isinstance(s, sp.Symbol)}


def _real_symbol(symbol: sp.Symbol) -> sp.Symbol:
    facts = {f: True for f in ("positive", "nonnegative", "negative") if getattr(symbol, f"is_{f}")}
    return sp.Symbol(symbol.name, real=True, **facts)
