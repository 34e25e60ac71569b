r"""Which conditions of the identity hold for a kernel of a few coordinates, and its Fisher information.

The coordinates fall into groups that share no noise. A group of one coordinate with one scalar noise is a scalar kernel
and is judged as such (symbolic/regularity.py). In a group that is affine in its random vectors, y = A V + c with A free
of the noise, the score is A^-T times that of V, so that

    E |s_y|^2 < oo   iff   E |s_V|^2 < oo,            I_y = A^-T I_V A^-1,

and p_y vanishes at a moving edge iff p_V does. V is a joint law, which brings its own verdict, or a scalar one, judged
as the location kernel c + V. Other groups are told as undecided. Source: as in symbolic/regularity.py.
"""

from dataclasses import dataclass, replace

import sympy as sp

from symdsm.symbolic.constructors import push_forward
from symdsm.symbolic.declaration import Declaration, Noise
from symdsm.symbolic.derive import derivative
from symdsm.symbolic.findings import tidy_boolean
from symdsm.symbolic.information import Information, derived_information, noisy_information
from symdsm.symbolic.joint import JointDeclaration
from symdsm.symbolic.joint_laws import JointLaw
from symdsm.symbolic.laws import LAWS
from symdsm.symbolic.regularity import Finding, Regularity, check_regularity

__all__ = ["groups", "location_kernel"]


@dataclass(frozen=True)
class _Group:
    """Coordinates and the random vectors behind them, which no other coordinate holds."""

    rows: tuple[int, ...]
    sources: tuple[int, ...]


def groups(declaration: JointDeclaration) -> list[_Group]:
    """The coordinates by the noise that they share."""
    noise, found = declaration.noise, []
    for i, row in enumerate(noise.rows):
        rows, sources = {i}, {k for k, own in enumerate(noise.values) if set(own) & row.free_symbols}
        for group in [g for g in found if sources & set(g[1])]:
            found.remove(group)
            rows, sources = rows | group[0], sources | group[1]
        found.append((rows, sources))
    return [_Group(tuple(sorted(r)), tuple(sorted(s))) for r, s in found]


def _scalar(declaration: JointDeclaration, group: _Group) -> Declaration | None:
    """The one coordinate of the group as a scalar kernel; None where it is not one."""
    noise = declaration.noise
    if len(group.rows) > 1 or len(noise.values[group.sources[0]]) > 1:
        return None
    (i,), (k,) = group.rows, group.sources
    return _kernel_of(
        declaration, noise.sources[k], noise.rows[i].xreplace({noise.values[k][0]: noise.sources[k].map[0]})
    )


def _kernel_of(declaration: JointDeclaration, law: JointLaw, g: sp.Expr) -> Declaration:
    (variable,), (support,), (draw,) = law.variables, law.supports, law.draws
    inner = [c for c in declaration.clean_symbols if c in g.free_symbols]
    clean = inner[0] if inner else declaration.clean_symbols[0]
    level = declaration.level if declaration.level in g.free_symbols | law.log_density.free_symbols else None
    noise = Noise(variable, g, law.log_density, support, draw, True)
    return push_forward(noise, sp.Symbol("_y", real=True), clean, level, law.period, ())


def _affine(declaration: JointDeclaration, group: _Group) -> sp.MatrixBase | None:
    """A of y = A V + c; None where the group is not affine in its random vectors."""
    noise = declaration.noise
    values = [v for k in group.sources for v in noise.values[k]]
    slopes = sp.Matrix([[derivative(noise.rows[i], v) for v in values] for i in group.rows])
    return None if slopes.free_symbols & set(values) else slopes


def location_kernel(declaration: JointDeclaration, law: JointLaw) -> Declaration:
    """The kernel c + V of a scalar law."""
    centre = sp.Symbol("the centre", real=True)
    free = replace(declaration, clean_symbols=(centre,), level=None)
    return _kernel_of(free, law, centre + law.map[0])


@check_regularity.register
def _(declaration: JointDeclaration) -> Regularity:
    findings: list[Finding] = []
    for group in groups(declaration):
        shown = ", ".join(declaration.noisy_symbols[i].name for i in group.rows)
        for f in _judged(declaration, group):
            choices = tuple(r for r in f.remedies if "kernel.subs" in r.code)
            findings.append(replace(f, reason=f"{shown}: {f.reason}", remedies=choices))
    return Regularity(tuple(dict.fromkeys(findings)), declaration.clean, declaration.level, declaration.params)


def _judged(declaration, group) -> list[Finding]:
    scalar = _scalar(declaration, group)
    if scalar is not None:
        return [f for f in check_regularity(scalar).findings if f.row != "level" or scalar.level is not None]
    slopes = _affine(declaration, group)
    laws = [declaration.noise.sources[k] for k in group.sources]
    if slopes is None:
        found = _undecided(declaration, group)
    else:
        found = [finding for law in laws for finding in _of_law(declaration, group, law)]
    return [*found, *_level(declaration, group, slopes, laws, found)]


def _undecided(declaration, group) -> list[Finding]:
    moves = set(declaration.clean_symbols) & declaration.inside.free_symbols
    edges = (
        Finding("edges", "unknown", None, f"the support moves with {', '.join(sorted(map(str, moves)))}")
        if moves
        else Finding("edges", "proven", sp.true, "the support does not move with the clean value")
    )
    rough = declaration.log_density.atoms(sp.Piecewise, sp.sign, sp.Abs, sp.Heaviside)
    jumps = (
        Finding("jumps", "unknown", None, "the density has pieces whose joints were not compared")
        if rough
        else Finding("jumps", "proven", sp.true, "the density is smooth inside its support")
    )
    text = "E |score|^2 was not decided: the coordinates hold several noises and are not affine in them"
    return [edges, jumps, Finding("variance", "unknown", None, text)]


def _of_law(declaration, group, law: JointLaw) -> list[Finding]:
    """Edges, jumps and variance of an affine image of V."""
    if law.moment is None:
        return list(check_regularity(location_kernel(declaration, law)).findings)
    when, why = law.moment
    moving = set().union(*(declaration.noise.rows[i].free_symbols for i in group.rows)) & set(declaration.clean_symbols)
    if law.edge is None:
        edges = Finding("edges", "proven", sp.true, "the support is the whole space")
    elif not moving:
        edges = Finding("edges", "proven", sp.true, "the support does not move with the clean value")
    else:
        edges = Finding("edges", _verdict(law.edge[0]), *law.edge)
    jumps = Finding("jumps", "proven", sp.true, "the density has no jump inside its support")
    return [edges, jumps, Finding("variance", _verdict(when), when, why)]


def _verdict(when) -> str:
    return "proven" if when is sp.true else "fails" if when is sp.false else "holds if"


def _level(declaration, group, slopes, laws, found) -> list[Finding]:
    """The level score of an affine group: decided where V is one joint law, or where every noise is normal."""
    level = declaration.level
    inner = set().union(*(declaration.noise.maps[i].free_symbols for i in group.rows))
    inner |= declaration.noise.log_density.free_symbols
    if level is None or level not in inner:
        return []
    centre_moves = any(_centre_slope(declaration, i, level) != 0 for i in group.rows)
    if slopes is not None and all(_is_normal(law) for law in laws):
        return [Finding("level", "proven", sp.true, "a Gaussian level score has finite second moments")]
    bounded = len(laws) == 1 and laws[0].moment is not None and laws[0].edge is None
    if slopes is None or not bounded:
        return [Finding("level", "unknown", None, "E level_score^2 of these coordinates was not decided")]
    variance = next(f for f in found if f.row == "variance")
    if variance.when is not sp.true and centre_moves:
        text = "the centre moves with the level, and E |score|^2 is not finite"
        return [Finding("level", "fails", sp.false, text)]
    return [Finding("level", "proven", sp.true, "E level_score^2 is finite: a scale leaves the score times the noise")]


def _is_normal(law: JointLaw) -> bool:
    (u, *others), normal = law.variables, LAWS["Normal"](sp.S.Zero, sp.S.One)
    return (
        not others and law.log_density == normal.log_density and derivative(law.map[0], u).free_symbols.isdisjoint({u})
    )


def _centre_slope(declaration, i, level) -> sp.Expr:
    zero = dict.fromkeys(declaration.noise.variables, sp.S.Zero)
    slope = derivative(declaration.noise.maps[i], level).xreplace(zero)
    return sp.S.One if slope.has(sp.nan, sp.zoo, sp.oo) else slope


@derived_information.register
def _(declaration: JointDeclaration) -> Information:
    """The sum over the groups; None with the reason where one of them is not known."""
    total, condition = sp.S.Zero, sp.true
    for group in groups(declaration):
        found = _group_information(declaration, group)
        if found is None:
            names = ", ".join(declaration.noisy_symbols[i].name for i in group.rows)
            return Information(None, sp.true, f"no closed form is known for {names}")
        total, condition = total + found[0], sp.And(condition, found[1])
    return Information(total, tidy_boolean(condition), "the sum over the coordinates")


def _group_information(declaration, group) -> tuple[sp.Expr, sp.Basic] | None:
    scalar = _scalar(declaration, group)
    if scalar is not None:
        found = noisy_information(scalar)
        return None if found.expr is None else (found.expr, found.condition)
    slopes, blocks, condition = _affine(declaration, group), [], sp.true
    if slopes is None:
        return None
    for law in (declaration.noise.sources[k] for k in group.sources):
        if law.information is not None:
            blocks.append(law.information)
        elif law.moment is not None:
            return None
        else:
            found = noisy_information(location_kernel(declaration, law))
            if found.expr is None:
                return None
            blocks.append(sp.Matrix([[found.expr]]))
            condition = sp.And(condition, found.condition)
    inverse = slopes.adjugate() / slopes.det(method="berkowitz")
    inner = sp.diag(*blocks)
    if inner.has(sp.oo) and all(e in (sp.oo, 0) for e in inner):
        return sp.oo, condition
    return sp.factor_terms((inverse.T * inner * inverse).trace()), condition
