"""The conditions of a coupled kernel p(y | x) over an array y, from how fast its log density grows and bends.

The support is the whole space, so that only jumps and poles of p could break the identity. For l = log p, s = grad l:

    curvature   the Hessian of l is bounded below and |s| <= C (1 + |y|):  E |s|^2 = -E div s is finite, since with a
                cut-off chi(y/R) the integral of chi laplacian(p) is that of p laplacian(chi), of order 1/R^2.
                A Lipschitz term with kinks, sum |r_i| say, may be added: it adds a bounded score.
    concave     l is concave, or at most -c sum |r_i|^a plus what is bounded above: all moments of y are finite, hence
                those of a score of polynomial growth
    elliptical  l = G(r' P r): an integral over the radius, E |s|^2 = c int rho^(n-1) e^G (dG/d rho)^2 d rho

The level score of a scale, -(n + r . s)/level, needs the moments as well. Orders are those of symbolic/growth.py.
Sources: Vincent, Neural Computation 23 (2011), for the identity; Bobkov, Annals of Probability 27 (1999), for the
exponential tails of log-concave laws.
"""

import math

import mpmath
import numpy as np
import sympy as sp

from symdsm.symbolic.exponents import lead_of
from symdsm.symbolic.findings import Finding, Regularity, Remedy
from symdsm.symbolic.growth import Growth, growth
from symdsm.symbolic.indexed_gaussian import is_quadratic
from symdsm.symbolic.indexed_nodes import Mask
from symdsm.symbolic.indexed_numbers import example, number
from symdsm.symbolic.leading import d, leading
from symdsm.symbolic.nodes import plain
from symdsm.symbolic.remedies import for_level

__all__ = ["check_coupled"]

_SIZES = (1, 2, 3, 4, 6)


def check_coupled(declaration) -> Regularity:
    """Every row of a kernel in index notation."""
    density = declaration.density
    definite = frozenset(map(str, density.positive_definite)) | _matrices(density)
    whole = growth(density.expr, density.noisy, definite)
    radial = _radial(density, definite) if declaration.is_whole else None
    where = "the support is the whole space" if declaration.is_whole else "the support does not move with x"
    findings = [Finding("edges", "proven", sp.true, where)]
    findings += _continuity(declaration, whole, radial)
    if declaration.is_whole and all(_is_flat(density, seed) for seed in (1, 2)):
        why = "it is constant along a direction (seen at small sizes)"
        tie = Remedy("add a term that ties every entry to its clean value, -(y[i] - x[i])**2/(2*s**2) say")
        findings.append(Finding("swap", "fails", sp.false, f"this is no density: {why}", (tie,)))
    findings.append(_variance(declaration, definite, whole, radial))
    if declaration.level is not None:
        findings.append(_level(declaration, definite, whole, radial))
    if declaration.is_whole and all(f.when is sp.true for f in findings if f.row != "level"):
        findings.append(Finding("mean", "proven", sp.true, "E[score | x] = 0: p vanishes at infinity", value=sp.S.Zero))
    return Regularity(tuple(findings), declaration.clean, declaration.level, declaration.params,
                      declaration=declaration)  # fmt: skip


def _matrices(density) -> frozenset:
    """Matrices of quadratic forms, which have to be positive definite for the density to be one."""
    y = density.noisy
    sums = [s for s in density.expr.atoms(sp.Sum) if len(s.limits) == 2]
    squares = [s for s in sums if any(e.base == y for e in s.atoms(sp.Indexed))]
    return frozenset(str(e.base) for s in squares for e in s.function.atoms(sp.Indexed)
                     if e.base != y and len(e.indices) == 2 and e.base != density.clean)  # fmt: skip


def _continuity(declaration, whole: Growth, radial) -> list[Finding]:
    density = declaration.density
    rough = [] if whole.continuous else [t for t in _terms(density) if not _is_tame(t, density)]
    if not rough:
        text = "the density is continuous (kinks at most)"
    elif radial is not None:
        return _pole(radial)
    elif all(not _moves(t, density) for t in rough):
        text = "where the density is not smooth does not move with the clean values"
    else:
        return [Finding("jumps", "unknown", None, "the density has pieces or poles whose joints were not compared")]
    swap = "the density is absolutely continuous on lines, and E|score| finite: by Fubini, for clean values in a box"
    return [Finding("jumps", "proven", sp.true, text), Finding("swap", "proven", sp.true, swap)]


def _is_tame(term, density) -> bool:
    """Continuous by the rules of growth, or made of y by whole powers and functions without a singular point."""
    if growth(term, density.noisy).continuous:
        return True
    return not _rough(term, density)


def _rough(term, density) -> list:
    smooth = (sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.atan, sp.erf)
    held = [e for e in term.atoms(sp.Function, sp.Pow, Mask, sp.Piecewise) if _holds(e, density.noisy)]
    return [e for e in held if not isinstance(e, smooth) and not (e.is_Pow and e.exp.is_Integer and e.exp > 0)]


def _moves(term, density) -> bool:
    """Does a rough part hold the clean values?"""
    clean = density.clean
    return any(clean in e.free_symbols or _holds(e, clean) for e in _rough(term, density))


def _holds(e, base) -> bool:
    return any(entry.base == base for entry in e.atoms(sp.Indexed))


def _pole(radial) -> list[Finding]:
    """A pole of G at r = 0 is integrable after one derivative in more than one dimension."""
    finite = [n for n in _SIZES if _converges(radial, n, 1)]
    if tuple(finite) == _SIZES:
        text = f"the density is infinite at most at y = x, and E|score| is finite (tried for n = {_shown(_SIZES)})"
        return [Finding("jumps", "seen numerically", sp.true, text),
                Finding("swap", "seen numerically", sp.true, "E|score| is finite: by Fubini")]  # fmt: skip
    return [Finding("jumps", "unknown", None, f"E|score| is finite for n in {finite} of {_shown(_SIZES)}")]


def _shown(sizes):
    return ", ".join(map(str, sizes))


def _variance(declaration, definite, whole: Growth, radial) -> Finding:
    density = declaration.density
    reason = _finite_because(declaration, definite, whole)
    if reason:
        return Finding("variance", "proven", sp.true, f"E |score|^2 is finite: {reason}")
    if radial is not None:
        return _by_size("variance", "E |score|^2", density, radial, lambda r, n: _converges(r, n, 2))
    text = "E |score|^2 was not decided: neither a curvature bounded below, nor concavity, nor a radius was found"
    return Finding("variance", "unknown", None, text)


def _finite_because(declaration, definite, whole) -> str | None:
    density = declaration.density
    if is_quadratic(density):
        return "a Gaussian score is linear and has second moments"
    if whole.continuous and (whole.slope <= 0 or _is_compact(declaration.entries) and whole.slope < float("inf")):
        return "the score is bounded"
    terms = [growth(t, density.noisy, definite) for t in _terms(density)]
    smooth = [t for t in terms if t.low <= 0 and t.slope <= 1]
    kinked = [t for t in terms if t not in smooth]
    if declaration.is_whole and whole.continuous and all(t.slope <= 0 for t in kinked):
        return "the curvature of the log density is bounded below" + (", up to a Lipschitz term" if kinked else "")
    if whole.continuous and whole.slope < float("inf") and _has_moments(density, whole, definite):
        return "the score grows like a power, and all moments are finite"
    return None


def _is_compact(entries) -> bool:
    return bool(entries.inf.is_finite and entries.sup.is_finite)


def _has_moments(density, whole, definite) -> bool:
    if whole.concave:
        return True
    terms = _terms(density)
    coercive = [t for t in terms if _is_coercive(t, density, definite)]
    rest = [t for t in terms if t not in coercive]
    return bool(coercive) and all(growth(t, density.noisy, definite).above for t in rest)


def _is_coercive(term, density, definite) -> bool:
    """-c sum |r_i|^a over every entry of the event, or -r' P r, with c > 0."""
    y = density.noisy
    scale = sp.Mul(*[f for f in sp.Mul.make_args(term) if not f.has(sp.Sum)])
    (total,) = [f for f in sp.Mul.make_args(term) if f.has(sp.Sum)] or [None]
    if not isinstance(total, sp.Sum):
        return False
    body = total.function * scale
    entries = {e for e in body.atoms(sp.Indexed) if e.base == y}
    if growth(total, y, definite).squares and len(total.limits) == 2 and density.event_ndim == 1:
        return scale.is_negative is True
    axes = {limit[0] for limit in total.limits}
    full = len(entries) == 1 and set(next(iter(entries)).indices) == axes and len(axes) == density.event_ndim
    powers = [f for f in sp.Mul.make_args(body) if any(e.base == y for e in f.atoms(sp.Indexed))]
    if not full or len(powers) != 1:
        return False
    (power,) = powers
    base, n = power.as_base_exp()
    even = n.is_even and n.is_positive or isinstance(base, sp.Abs) and n.is_positive
    inner = base.args[0] if isinstance(base, sp.Abs) else base
    rest = sp.cancel(body / power)
    return bool(even and growth(inner, y).linear and rest.is_negative)


def _radial(density, definite):
    """(G(rho), rho, n) with log p = G(rho) for rho^2 = r' P r, or the sum of r_i^2; None when it is not elliptical."""
    y, rho = density.noisy, sp.Symbol("_rho", positive=True)
    sums = sorted(density.expr.atoms(sp.Sum), key=sp.count_ops)
    for total in sums if density.event_ndim == 1 else ():
        if not growth(total, y, definite).squares:
            continue
        (size,) = density.shapes[y]
        outside = density.expr.xreplace({other: rho**2 for other in sums if _same_sum(other, total)})
        if any(e.base == y for e in outside.atoms(sp.Indexed)) or not size.is_Symbol:
            continue
        forms = len(total.limits) == 2 or _is_coercive(-total, density, definite)
        if forms:
            return outside, rho, size
    return None


def _same_sum(a, b) -> bool:
    """Equal up to the names of the bound indices."""
    if [limit[1:] for limit in a.limits] != [limit[1:] for limit in b.limits]:
        return False
    names = [sp.Symbol(f"_i{k}", integer=True) for k in range(len(a.limits))]
    own = [e.function.xreplace({m[0]: name for m, name in zip(e.limits, names, strict=True)}) for e in (a, b)]
    return own[0] == own[1]


def _is_flat(density, seed) -> bool:
    """Do the gradients at random places, at a small size, leave a direction out?"""
    scalars, arrays = example(density, seed, size=3 if density.event_ndim == 1 else 2)
    label = str(density.noisy.label)
    shape = arrays[label].shape
    count, rng = math.prod(shape), np.random.default_rng(seed)
    with mpmath.workdps(40):
        step = mpmath.mpf(10) ** -12

        def value(y):
            return mpmath.re(number(density.expr, scalars, arrays | {label: y.reshape(shape)}))

        rows = []
        for draw in rng.normal(size=(4 * count + 4, count)):
            y = np.array([mpmath.mpf(v) for v in draw], dtype=object)
            moves = [np.array([step * int(i == k) for i in range(count)], dtype=object) for k in range(count)]
            try:
                rows.append([float((value(y + m) - value(y - m)) / (2 * step)) for m in moves])
            except (ArithmeticError, TypeError, ValueError):  # a weight above one, say
                return False
    rows = np.array(rows) / (1e-300 + np.abs(rows).max(axis=1, keepdims=True))
    return bool(np.linalg.svd(rows, compute_uv=False)[-1] < 1e-12)


def _terms(density) -> list[sp.Expr]:
    """The terms of the log density, sums over sums of terms taken apart."""
    out = []
    for term in sp.Add.make_args(sp.expand_mul(density.expr, deep=False)):
        scale = sp.Mul(*[f for f in sp.Mul.make_args(term) if not isinstance(f, sp.Sum)])
        sums = [f for f in sp.Mul.make_args(term) if isinstance(f, sp.Sum)]
        if len(sums) == 1 and not any(e.base == density.noisy for e in scale.atoms(sp.Indexed)):
            parts = sp.Add.make_args(sp.expand_mul(sums[0].function, deep=False))
            out += [scale * sp.Sum(part, *sums[0].limits) for part in parts]
        else:
            out.append(term)
    return out


def _converges(radial, n, power, factor=None) -> bool | None:
    """integral rho^(n-1) e^G |dG/d rho|^power d rho at zero and at infinity, by leading terms at this n."""
    G, rho, size = radial
    own = plain(G.xreplace({size: sp.Integer(n)}))
    varying = sp.Add(*[t for t in sp.Add.make_args(sp.expand_log(own)) if rho in t.free_symbols])
    field = sp.diff(varying, rho) if factor is None else factor * sp.diff(varying, rho)
    for at, weight in ((d, 0), (1 / d, -2)):
        density, slope = (lead_of(e.xreplace({rho: at})) for e in (sp.exp(varying), field))
        if density is None or slope is None:
            return None
        total = density.times(slope.power(sp.Integer(power)))
        if total.E != 0:
            rate = leading(total.E)
            if rate is None or not rate.c.is_negative:
                return None if rate is None or not rate.c.is_positive else False
            continue
        exponent = sp.expand(total.p + (n - 1) * (1 if weight == 0 else -1) + weight + 1)
        if exponent.is_positive or exponent == 0 and total.m < -1:
            continue
        return False if exponent.is_nonpositive else None
    return True


def _by_size(row, name, density, radial, rule) -> Finding:
    answers = {n: rule(radial, n) for n in _SIZES}
    size = density.restore(radial[2])
    if all(answers.values()):
        return Finding(
            row, "seen numerically", sp.true, f"{name} is finite by its radial integral (n = {_shown(_SIZES)})"
        )
    if None in answers.values():
        return Finding(row, "unknown", None, f"the radial integral of {name} was not decided for every n tried")
    finite = [n for n in _SIZES if answers[n]]
    fix = (Remedy(f"use another law for more than {max(finite, default=0)} entries, a multivariate t say"),)
    text = f"{name} by its radial integral: finite for n in {finite}, infinite for the others of {_shown(_SIZES)}"
    if not finite:
        return Finding(row, "seen numerically", sp.false, text, fix)
    if finite == list(_SIZES[: len(finite)]):
        return Finding(row, "seen numerically", sp.Lt(size, finite[-1] + 1), text, fix)
    return Finding(row, "unknown", None, text, fix)


def _level(declaration, definite, whole: Growth, radial) -> Finding:
    density = declaration.density
    if not declaration.level_is_known:
        return Finding(
            "level", "fails", sp.false, "the normaliser is not known as a function of the level", for_level()
        )
    known = "the normaliser in the level is known by the scale rule"
    if is_quadratic(density):
        return Finding("level", "proven", sp.true, f"{known}, and a Gaussian has fourth moments")
    slope = growth(declaration.level_slope, density.noisy, definite)
    if slope.size <= 0 and slope.above and slope.below:
        return Finding("level", "proven", sp.true, f"{known}, and the level score is bounded")
    if whole.continuous and whole.slope < float("inf") and _has_moments(density, whole, definite):
        return Finding("level", "proven", sp.true, f"{known}; it grows like a power, and all moments are finite")
    if radial is not None:
        return _by_size("level", "E level_score^2", density, radial, lambda r, n: _converges(r, n, 2, factor=r[1]))
    return Finding("level", "unknown", None, f"{known}; E level_score^2 was not decided", for_level())
