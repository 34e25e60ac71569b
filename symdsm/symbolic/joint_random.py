r"""From a column of expressions with random symbols, or a joint distribution, to a declaration.

    from_random(sp.Matrix([x1 + s*A, x2*B]), clean=sp.Matrix([x1, x2]))          A, B random symbols, one for each row
    from_random(st.MultivariateT("y", [x1, x2], S, nu), clean=sp.Matrix([x1, x2]))
    from_random(sp.Matrix([x1 + G[0], x2 + G[1]]), clean=..)                      G a joint random symbol, by component

The noisy value has as many components as there is noise: with less its law has no density, with more its density is an
integral that SymPy does not know.
"""

import random as numbers

import mpmath
import sympy as sp
from sympy.stats.joint_rv import JointRandomSymbol
from sympy.stats.rv import RandomSymbol

from symdsm.errors import DeclarationError
from symdsm.symbolic.constructors import join_branches, noise_law
from symdsm.symbolic.declaration import check_symbols
from symdsm.symbolic.joint import JointDeclaration, JointNoise
from symdsm.symbolic.joint_laws import JOINT_LAWS, JointLaw, joint_law_of, single
from symdsm.symbolic.joint_solve import Step, solve
from symdsm.symbolic.laws import Draw
from symdsm.symbolic.nodes import LogAbs
from symdsm.symbolic.probe import numeric, value_for
from symdsm.symbolic.random import check_continuous, check_distribution
from symdsm.symbolic.supports import inside_of, interior_point, tidy

__all__ = ["from_random_vector", "is_vector"]


def is_vector(expr, clean) -> bool:
    """Does the declaration have a noisy value of several coordinates?"""
    joint = isinstance(expr, sp.Basic) and bool(expr.atoms(JointRandomSymbol))
    return joint or isinstance(expr, sp.MatrixBase) or isinstance(clean, sp.MatrixBase)


def from_random_vector(expr, clean, level: sp.Symbol | None = None) -> JointDeclaration:
    """The kernel of the noisy column `expr`; `clean` is a symbol or a column of symbols. Raises DeclarationError."""
    clean_symbols = _clean_symbols(clean)
    randoms = _randoms(expr)
    laws = [_law(random, clean_symbols) for random in randoms]
    rows = _rows(expr, laws)
    _check_names(rows, randoms, clean_symbols, level)
    _check_count(rows, randoms, laws)
    values = tuple(tuple(sp.Symbol(f"_v{k}_{i}", real=True) for i in range(len(w.map))) for k, w in enumerate(laws))
    shown = _by_component(rows, randoms, values)
    name = expr.name if isinstance(expr, JointRandomSymbol) else "y"
    taken = {s.name for s in _without_randoms(rows, randoms).free_symbols}
    noisy = tuple(sp.Symbol(_free(f"{name}{i + 1}", taken), real=True) for i in range(len(rows)))
    noise = _noise(randoms, laws, values, shown, noisy)
    return _declare(noise, noisy, clean_symbols, level, ("random", expr, clean, level))


def _clean_symbols(clean) -> tuple[sp.Symbol, ...]:
    symbols = tuple(clean) if isinstance(clean, sp.MatrixBase) else (clean,)
    if not symbols or len(set(symbols)) != len(symbols):
        raise DeclarationError(
            given=f"the clean symbols {', '.join(map(str, symbols)) or '(none)'}",
            expected="different symbols, one for each clean coordinate",
            fix="pass clean=sp.Matrix([x1, x2]), say",
        )
    return symbols


def _randoms(expr) -> list[RandomSymbol]:
    found = sorted(expr.atoms(RandomSymbol), key=lambda s: s.name)
    if not found:
        raise DeclarationError(
            given=f"{expr}, which holds no random symbol",
            expected="one random symbol for each coordinate, or a joint distribution",
            fix='add the noise, say sp.Matrix([x1 + st.Normal("a", 0, s), x2 + st.Normal("b", 0, s)])',
        )
    for one, other in zip(found, found[1:], strict=False):
        if one.name == other.name:
            raise DeclarationError(
                given=f"two random symbols that are both called {one.name!r}",
                expected="one name for one random symbol; the same symbol twice is the same noise twice",
                fix="give each its own name, such as a and b",
            )
    for random in found:
        check_continuous(random)
    return found


def _law(random: RandomSymbol, clean) -> JointLaw:
    distribution = random.pspace.distribution
    check_distribution(distribution, *clean)
    if not isinstance(random, JointRandomSymbol):
        return single(noise_law(distribution))
    name = type(distribution).__name__.removesuffix("Distribution")
    if any(isinstance(a, sp.MatrixExpr) and not isinstance(a, sp.MatrixBase) for a in distribution.args):
        raise DeclarationError(
            given=f"{name} with a matrix symbol",
            expected="vectors and matrices written out, of a fixed small size",
            fix="for any size use families.multivariate_normal and its neighbours, or index notation",
        )
    law = joint_law_of(distribution)
    if law is None:
        raise DeclarationError(
            given=f"the joint law {name}",
            expected=f"one of {', '.join(JOINT_LAWS)}",
            fix="write its density in index notation with Kernel.from_density, noisy and clean sp.IndexedBase",
        )
    return law


def _rows(expr, laws) -> list[sp.Expr]:
    if isinstance(expr, JointRandomSymbol):
        return [sp.Indexed(expr, i) for i in range(len(laws[0].map))]
    if not isinstance(expr, sp.MatrixBase):
        raise DeclarationError(
            given=f"the noisy value {expr} with several coordinates in its noise or its clean value",
            expected="a column with one row for each noisy coordinate, or a joint random symbol by itself",
            fix="write it by components, sp.Matrix([x1 + G[0], x2 + G[1]]), say",
        )
    if expr.shape[1] != 1 or not expr.shape[0]:
        raise DeclarationError(
            given=f"a noisy matrix of shape {expr.shape}",
            expected="a column, sp.Matrix([.., ..]), one row for each noisy coordinate",
            fix="write the coordinates one below the other; images and matrices of any size go in index notation",
        )
    return list(expr)


def _without_randoms(rows, randoms) -> sp.Tuple:
    one = dict.fromkeys([*randoms, *{e for row in rows for e in row.atoms(sp.Indexed)}], sp.S.One)
    return sp.Tuple(*[row.xreplace(one) for row in rows], *[a for r in randoms for a in r.pspace.distribution.args])


def _check_names(rows, randoms, clean_symbols, level) -> None:
    for clean in clean_symbols:
        check_symbols(_without_randoms(rows, randoms), clean, level)


def _check_count(rows, randoms, laws) -> None:
    count = sum(len(law.map) for law in laws)
    if count == len(rows):
        return
    names = ", ".join(f"{r} ({len(law.map)})" for r, law in zip(randoms, laws, strict=True))
    why = "a joint density on a curve or surface" if count < len(rows) else "an integral over the noise left over"
    raise DeclarationError(
        given=f"{len(rows)} noisy coordinates and {count} of noise: {names}; that is {why}",
        expected="as many coordinates of noise as noisy ones",
        fix="give each coordinate one random symbol of its own; the same symbol in two rows is one noise",
    )


def _by_component(rows, randoms, values) -> tuple[sp.Expr, ...]:
    put = {}
    for random, own in zip(randoms, values, strict=True):
        joint = isinstance(random, JointRandomSymbol)
        put |= {sp.Indexed(random, i): v for i, v in enumerate(own)} if joint else {random: own[0]}
    shown = tuple(row.xreplace(put) for row in rows)
    left = [row for row in shown if row.atoms(RandomSymbol)]
    if left:
        raise DeclarationError(
            given=f"the coordinate {left[0]} with a joint random symbol that is not a component of it",
            expected=f"components counted from 0, such as {randoms[0]}[0]",
            fix="write G[0], G[1], .. in the rows of the column",
        )
    return shown


def _free(name: str, taken: set[str]) -> str:
    return name if name not in taken else _free(f"{name}_noisy", taken)


def _noise(randoms, laws, values, shown, noisy) -> JointNoise:
    """The laws side by side, their variables named after the random symbols, their draws numbered apart."""
    variables, maps, density, supports, draws, slots = [], [], sp.S.Zero, [], [], 0
    for random, law in zip(randoms, laws, strict=True):
        ends = [""] if len(law.variables) == 1 else range(len(law.variables))
        names = [f"_{random.name}{end}" for end in ends]
        own = {v: sp.Symbol(n, **v._assumptions_orig) for n, v in zip(names, law.variables, strict=True)}
        variables += own.values()
        maps += [m.xreplace(own) for m in law.map]
        density += law.log_density.xreplace(own)
        supports += law.supports
        draws += [None if d is None else d.replace(Draw, _later(slots)) for d in law.draws]
        slots += 1 + max((int(d.args[1]) for e in law.draws if e is not None for d in e.atoms(Draw)), default=0)
    put = dict(zip([v for own in values for v in own], maps, strict=True))
    maps = tuple(row.xreplace(put) for row in shown)
    paths = tuple(tuple(path) for path in solve(maps, tuple(variables), noisy))
    return JointNoise(tuple(variables), maps, density, tuple(supports), tuple(draws), paths, tuple(laws), values, shown)


def _later(by: int):
    return lambda kind, slot, *shapes: Draw(kind, slot + by, *shapes)


def _declare(noise: JointNoise, noisy, clean_symbols, level, source) -> JointDeclaration:
    terms, insides = zip(*[_along(path, noise) for path in noise.paths], strict=True)
    log_density, inside = join_branches(terms, insides)
    conditions = sp.And.make_args(inside)
    positive = {y: sp.Symbol(y.name, positive=True) for y in noisy if sp.Gt(y, 0) in conditions}
    log_density = log_density.xreplace(positive)
    log_density = log_density.replace(LogAbs, lambda u: sp.log(u) if u.is_positive else LogAbs(u))
    return JointDeclaration(
        noisy_symbols=tuple(positive.get(y, y) for y in noisy),
        clean_symbols=clean_symbols,
        log_density=log_density,
        inside=inside,
        anchor=_anchor(noise),
        noise=noise,
        level=level,
        source=source,
    )


def _along(path: tuple[Step, ...], noise: JointNoise) -> tuple[sp.Expr, sp.Basic]:
    """log f(e(y)) + log |det de/dy| and the place where it holds, the noises put in step by step."""
    known: dict[sp.Symbol, sp.Expr] = {}
    slope, inside = sp.S.Zero, sp.true
    for step in path:
        slope += step.log_slope.xreplace(known)
        inside = sp.And(inside, tidy(step.condition.xreplace(known)))
        known |= {noise.variables[j]: e.xreplace(known) for j, e in zip(step.columns, step.inverses, strict=True)}
        for j in step.columns:
            inside = sp.And(inside, tidy(inside_of(noise.supports[j], known[noise.variables[j]])))
    return noise.log_density.xreplace(known) + slope, inside


def _anchor(noise: JointNoise) -> tuple[sp.Expr, ...]:
    """The image of a point of the noise at which the density is finite."""
    for step in (sp.S.Zero, sp.S.Half):
        put = {}
        for e, support in zip(noise.variables, noise.supports, strict=True):
            put[e] = interior_point(support) + (step if support == sp.S.Reals else 0)
        if _finite(noise.log_density.xreplace(put)):
            break
    return tuple(g.xreplace(put) for g in noise.maps)


def _finite(expr: sp.Expr) -> bool:
    symbols, rng = sorted(expr.free_symbols, key=lambda s: s.name), numbers.Random(4)
    for _ in range(6):
        try:
            value = mpmath.mpmathify(numeric(expr, symbols)(*[value_for(s, rng) for s in symbols]))
        except (ArithmeticError, ValueError, TypeError):
            continue
        if mpmath.isfinite(value) and mpmath.im(value) == 0:
            return True
    return False
