"""From a formula to a declaration.

from_random    y = g(x, e) with one random symbol e ~ f: the change of variables is solved (symbolic/invert.py) and
               log p(y | x) = log sum_k [C_k(y)] f(e_k(y)) |de_k/dy|  over the branches of g
from_density   log p(y | x), or p(y | x), up to a factor without y
from_sde       the Gaussian transition kernel of a linear SDE (symbolic/diffusion.py), y = m(x, t) + sqrt(S(t)) e
change         u = T(y):  log p(u | x) = log p(T^-1(u) | x) + log |dT^-1/du|
mixture        log p = logsumexp_k (log w_k + log p_k)
background     a part of a mixture, y = g(e), that need not know x: outliers

Source: Casella and Berger, Statistical Inference (2002), theorems 2.1.5 and 2.1.8.
"""

from dataclasses import replace

import mpmath
import sympy as sp
from sympy.stats.rv import RandomSymbol

from symdsm.errors import DeclarationError
from symdsm.symbolic.coupled import from_coupled
from symdsm.symbolic.declaration import Declaration, Noise, check_symbols
from symdsm.symbolic.diffusion import transition
from symdsm.symbolic.given import expression
from symdsm.symbolic.invert import coordinate, invert
from symdsm.symbolic.laws import LAWS, LINE, Law, law_of
from symdsm.symbolic.logs import exact_log, stable_logs
from symdsm.symbolic.nodes import LSE, LogAbs
from symdsm.symbolic.normaliser import find_normaliser
from symdsm.symbolic.probe import numeric, probes
from symdsm.symbolic.random import check_distribution, required, the_random_symbol
from symdsm.symbolic.supports import image, inside_of, inside_set, interior_point, places_in, tidy
from symdsm.symbolic.vector import VectorDeclaration

__all__ = [
    "background",
    "change",
    "from_density",
    "from_random",
    "from_sde",
    "join_branches",
    "mixture",
    "noise_law",
    "push_forward",
    "with_sign",
]


def from_random(expr: sp.Expr, clean: sp.Symbol, level: sp.Symbol | None = None) -> Declaration:
    """The kernel of y = expr, an expression in the clean symbol and one random symbol."""
    random = the_random_symbol(expr)
    check_distribution(random.pspace.distribution, clean)
    check_symbols(_without_random(expr, random), clean, level)
    return _of_random(expr, random, clean, level, ("random", expr, clean, level))


def background(expr: sp.Expr, clean: sp.Symbol) -> Declaration:
    """The law of y = expr as a part of a mixture; the clean symbol need not occur in it."""
    random = the_random_symbol(expr)
    check_distribution(random.pspace.distribution, clean)
    check_symbols(sp.Tuple(_without_random(expr, random), clean), clean, None)
    return _of_random(expr, random, clean, None, ("law", expr))


def _of_random(expr, random, clean, level, source) -> Declaration:
    _check_powers(expr, random, clean)
    law = noise_law(random.pspace.distribution)
    name = random.symbol.name if expr == random else "y"
    taken = {s.name for s in _without_random(expr, random).free_symbols}
    noisy = sp.Symbol(name if name not in taken else f"{name}_noisy", real=True)
    g = expr.xreplace({random: law.map})
    noise = Noise(law.variable, g, law.log_density, law.support, law.draw, monotone=True)
    declaration = push_forward(noise, noisy, clean, level, law.period, source)
    return replace(declaration, requires=required(random.pspace.distribution))


def _check_powers(expr, random, clean) -> None:
    """e**c has its support on one side or the other as c is positive or negative: the sign must be known."""
    for power in expr.atoms(sp.Pow):
        c = power.exp
        known = c.is_number or c.is_positive or c.is_negative or random in c.free_symbols or clean in c.free_symbols
        if power.base.has(random) and not known:
            symbol = min(c.free_symbols, key=str)
            raise DeclarationError(
                given=f"the power {power} of the noise, and no assumption that decides the sign of {c}",
                expected="an exponent that is positive, or negative",
                fix=f'declare it as sp.Symbol("{symbol}", positive=True)',
            )


def _without_random(expr: sp.Expr, random: RandomSymbol) -> sp.Basic:
    kept = sorted(expr.free_symbols - random.free_symbols, key=lambda s: s.name)
    return sp.Tuple(*kept, *random.pspace.distribution.args)


def noise_law(distribution) -> Law:
    """The law of a distribution; outside the table its density as SymPy has it, logarithm taken factor by factor."""
    law = law_of(distribution)
    if law is not None:
        return law
    variable = sp.Symbol("_z", real=True)
    density, inside = _split_pieces(exact_log(distribution.pdf(variable)))
    support = distribution.set
    if inside is not sp.true and support == sp.S.Reals:
        support = inside.as_set()
    return Law(variable, variable, density, support, None)


def push_forward(noise: Noise, noisy, clean, level, period, source) -> Declaration:
    """The law of map(variable), by inverting the map."""
    e, g = noise.variable, noise.map
    if e not in g.free_symbols:
        raise DeclarationError(
            given=f"{g}, which does not depend on its noise",
            expected="noise in the noisy value",
            fix="add the noise",
        )
    branches = invert(g, e, noisy)
    terms, insides = [], []
    for branch in branches:
        terms.append(noise.log_density.xreplace({e: branch.inverse}) + branch.log_slope(noisy))
        insides.append(tidy(sp.And(branch.condition, inside_of(noise.support, branch.inverse))))
    log_density, inside = join_branches(terms, insides)
    if inside is sp.false or inside.has(sp.I) or log_density.has(sp.I):
        raise DeclarationError(
            given=f"the noisy value {g}, which is real for no noise {e} in {noise.support}",
            expected="a real noisy value",
            fix="check the signs under roots and logarithms",
        )
    support = image(g, e, noise.support, noisy, inside, len(branches) == 1)
    declaration = Declaration(
        noisy=noisy,
        clean=clean,
        log_density=log_density,
        support=support,
        inside=inside,
        anchor=_anchor(noise, log_density, noisy),
        level=level,
        normalised=True,
        noise=Noise(e, g, noise.log_density, noise.support, noise.draw, monotone=len(branches) == 1),
        period=period,
        source=source,
    )
    _check_real(declaration)
    return with_sign(declaration)


def _check_real(declaration: Declaration) -> None:
    """The noisy value is real for noise all over its support: log(x + e) is not, for normal e."""
    noise = declaration.noise
    for values in probes(declaration, 2):
        value = numeric(noise.map, [noise.variable, *values])
        for place in places_in(noise.support.xreplace(values)):
            if _is_complex(value, place, *values.values()):
                raise DeclarationError(
                    given=f"the noisy value {noise.map}, which is complex for {noise.variable} = {place:.3g}",
                    expected="a real noisy value for all noise in its support",
                    fix="use noise that keeps what stands under the root or logarithm positive, or take out the root "
                    "or logarithm",
                )


def _is_complex(function, *args: float) -> bool:
    try:
        return mpmath.im(function(*map(mpmath.mpf, args))) != 0
    except (ArithmeticError, ValueError, TypeError, mpmath.libmp.NoConvergence):
        return False


def _anchor(noise: Noise, log_density: sp.Expr, noisy: sp.Symbol) -> sp.Expr | None:
    """The image of a point of the noise at which the density is finite: x e^2 has none at e = 0."""
    middle = interior_point(noise.support)
    if middle is None:
        return None
    for point in (middle, middle + sp.S.Half if noise.support == sp.S.Reals else middle):
        anchor = noise.map.xreplace({noise.variable: point})
        if not log_density.xreplace({noisy: anchor}).has(sp.zoo, sp.oo, sp.nan, LogAbs(sp.S.Zero)):
            break
    return anchor


def join_branches(terms, insides):
    """logsumexp over the branches, each where it is valid, and the union of their domains."""
    if len(terms) == 1:
        return terms[0], insides[0]
    inside = sp.Or(*insides)
    if all(i == insides[0] for i in insides):
        return LSE(*terms), insides[0]
    guarded = [sp.Piecewise((t, i), (-sp.oo, True)) for t, i in zip(terms, insides, strict=True)]
    return LSE(*guarded), inside


def with_sign(declaration: Declaration) -> Declaration:
    """Declare y positive where the support says so; `inside` keeps the real symbol of the same name."""
    y = declaration.noisy
    infimum = declaration.support.inf if isinstance(declaration.support, sp.Interval) else None
    if infimum is None or not infimum.is_nonnegative or y.is_positive:
        return declaration
    positive = sp.Symbol(y.name, positive=True)
    log_density = declaration.log_density.xreplace({y: positive})
    log_density = log_density.replace(LogAbs, lambda u: sp.log(u) if u.is_positive else LogAbs(u))
    return replace(declaration, noisy=positive, log_density=log_density)


def from_density(
    f: sp.Expr,
    noisy: sp.Symbol,
    clean: sp.Symbol,
    support: sp.Set | None = None,
    level: sp.Symbol | None = None,
    log: bool = False,
) -> Declaration:
    """The kernel with the (log) density f, given up to a factor without y."""
    f = expression(f, "the density")
    if isinstance(noisy, sp.IndexedBase):
        return from_coupled(f, noisy, clean, support, level, log)
    check_symbols(f if support is None else sp.Tuple(f, support), clean, level, noisy)
    if noisy not in f.free_symbols and support is None:
        raise DeclarationError(
            given=f"a density without the noisy symbol {noisy}: {f}",
            expected="a density in the noisy symbol",
            fix="pass noisy=... the symbol in which f is a density",
        )
    if f.has(sp.I) or f.is_extended_real is False:
        raise DeclarationError(
            given=f"a complex density, {f}",
            expected="a real one",
            fix="declare the symbols real=True or positive=True",
        )
    if not log and f.is_nonpositive:
        raise DeclarationError(
            given=f"a density that is never positive, {f}",
            expected="a density, or its logarithm with log=True",
            fix="pass log=True if this is a log density",
        )
    log_density, condition = _split_pieces(stable_logs(f) if log else exact_log(f))
    domain = support if support is not None else _domain_of(noisy)
    probe = sp.Symbol(noisy.name, real=True)
    inside = tidy(sp.And(inside_set(domain, probe), condition.xreplace({noisy: probe})))
    if support is None and condition is not sp.true:
        domain = _as_set(inside, probe) or domain
    declaration = Declaration(
        noisy=noisy,
        clean=clean,
        log_density=log_density,
        support=domain,
        inside=inside,
        anchor=interior_point(domain),
        level=level,
        source=("density", f, noisy, clean, support, level, log),
    )
    return find_normaliser(declaration)


def _split_pieces(log_density: sp.Expr) -> tuple[sp.Expr, sp.Basic]:
    """Drop the pieces on which the density is zero; say where the others hold."""
    if not isinstance(log_density, sp.Piecewise):
        return log_density, sp.true
    zero = (-sp.oo, sp.zoo, sp.oo, sp.log(0))
    pieces, conditions, earlier = [], [], []
    for value, when in log_density.args:
        here = sp.And(when, *[sp.Not(c) for c in earlier])
        earlier.append(when)
        if value not in zero:
            pieces.append((value, when))
            conditions.append(here)
    inside = sp.Or(*conditions)
    if len(pieces) == 1:
        return pieces[0][0], inside
    last = pieces[-1][0]
    return sp.Piecewise(*pieces[:-1], (last, True)), inside


def _as_set(inside, symbol):
    try:
        return inside.as_set()
    except (NotImplementedError, TypeError, ValueError):
        return None


def _domain_of(noisy: sp.Symbol) -> sp.Set:
    if noisy.is_positive:
        return sp.Interval.open(0, sp.oo)
    if noisy.is_nonnegative:
        return sp.Interval(0, sp.oo)
    if noisy.is_negative:
        return sp.Interval.open(-sp.oo, 0)
    return LINE


def from_sde(drift, diffusion, state, time, clean=None, initial=None):
    """The transition kernel of a linear SDE from time 0 to `time`, the level."""
    source = ("sde", drift, diffusion, state, time, clean, initial)
    law = transition(drift, diffusion, state, time, clean, initial)
    if isinstance(state, sp.MatrixBase):
        noisy = tuple(sp.Symbol(f"{s.name}_t", real=True) for s in state)
        return VectorDeclaration(law, noisy, time, source)
    (x,) = law.clean
    noisy = sp.Symbol("y" if x.name != "y" else "y_noisy", real=True)
    normal = LAWS["Normal"](sp.S.Zero, sp.S.One)
    moved = law.mean + sp.sqrt(law.covariance) * normal.variable
    noise = Noise(normal.variable, moved, normal.log_density, LINE, normal.draw, True)
    return replace(push_forward(noise, noisy, x, time, None, source), transition=law)


def change(declaration: Declaration, transform, clean: bool = False) -> Declaration:
    """The same noise in the coordinate u = T(y); with clean=True the clean value moves too, x = T^-1(v)."""
    y, x = declaration.noisy, declaration.clean
    u = sp.Symbol("u" if "u" not in {s.name for s in declaration.params} | {x.name} else "u_noisy", real=True)
    image_of_y = transform(y)
    branch = coordinate(image_of_y, y, u)
    log_density = declaration.log_density.xreplace({y: branch.inverse}) + branch.log_slope(u)
    probe = sp.Symbol(y.name, real=True)
    condition = declaration.inside.xreplace({probe: branch.inverse})
    inside = tidy(sp.And(branch.condition, condition))
    noise = declaration.noise
    if noise is not None:
        noise = replace(noise, map=transform(noise.map))
    support = image(image_of_y, y, declaration.support, u, inside, True)
    anchor = None if declaration.anchor is None else transform(declaration.anchor)
    moved = Declaration(
        noisy=u,
        clean=x,
        log_density=stable_logs(log_density),
        support=support,
        inside=inside,
        anchor=anchor,
        level=declaration.level,
        normalised=declaration.normalised,
        noise=noise,
        parts=tuple((change(part, transform), weight) for part, weight in declaration.parts),
        requires=declaration.requires,
        source=("change", declaration.source, transform(sp.Symbol("y", real=True)), clean),
    )
    return _move_clean(moved, transform) if clean else moved


def _move_clean(declaration: Declaration, transform) -> Declaration:
    """x = T^-1(v): the kernel given the clean value in the new coordinate."""
    x = declaration.clean
    v = sp.Symbol("v" if "v" not in {s.name for s in declaration.params} else "v_clean", real=True)
    (branch,) = invert(transform(x), x, v)
    put = {x: branch.inverse}
    noise = declaration.noise
    return replace(
        declaration,
        clean=v,
        log_density=stable_logs(declaration.log_density.xreplace(put)),
        inside=declaration.inside.xreplace(put),
        anchor=None if declaration.anchor is None else declaration.anchor.xreplace(put),
        support=declaration.support.xreplace(put),
        requires=declaration.requires.xreplace(put),
        noise=None if noise is None else replace(noise, map=noise.map.xreplace(put)),
        parts=tuple((_move_clean(part, transform), w.xreplace(put)) for part, w in declaration.parts),
    )


def mixture(parts: tuple[tuple[Declaration, sp.Expr], ...]) -> Declaration:
    """log p = logsumexp_k (log w_k + log p_k): each part keeps its own stable form and its own sampler."""
    first = parts[0][0]
    y, x = first.noisy, first.clean
    probe = sp.Symbol(y.name, real=True)
    if not all(part.noisy.is_positive for part, _ in parts):
        y = probe
    levels = {part.level for part, _ in parts if part.level is not None}
    level = levels.pop() if len(levels) == 1 else None
    terms, insides, moved = [], [], []
    for part, weight in parts:
        put = {part.noisy: y, part.clean: x}
        own = sp.Symbol(part.noisy.name, real=True)
        terms.append(_log_weight(weight) + part.log_density.xreplace(put))
        insides.append(part.inside.xreplace({own: probe, part.clean: x}))
        moved.append((replace(part, level=level) if level in part.params else part, weight))
    log_density, inside = join_branches(terms, insides)
    normalised = True if all(p.normalised is True for p, _ in parts) else None
    return Declaration(
        noisy=y,
        clean=x,
        log_density=log_density,
        support=sp.Union(*[part.support for part, _ in parts]),
        inside=inside,
        anchor=first.anchor,
        level=level,
        normalised=normalised,
        parts=tuple(moved),
        source=("mixture", tuple((part.source, weight) for part, weight in parts)),
    )


def _log_weight(weight: sp.Expr) -> sp.Expr:
    return exact_log(weight) if weight.is_positive else sp.log(weight)
