r"""Mixtures and changes of coordinate of kernels with several noisy values.

    mixture   log p = log sum_k w_k p_k(y | x), one coupled density of the same event; normalised when its parts are
    change    u_i = T(y_i) for every entry:  log p(u | x) = log p(T^-1(u) | x) + sum_i log |dT^-1(u_i)/du_i|

A kernel of a few coordinates with randomness of its own keeps it: its coordinates y_i = g_i(x, e) become T(g_i(x, e)).
Source: Casella and Berger, Statistical Inference (2002), sections 4.4 and 4.6.
"""

from dataclasses import replace

import sympy as sp

from symdsm.errors import DeclarationError
from symdsm.symbolic.constructors import change, mixture
from symdsm.symbolic.coupled import CoupledDeclaration, from_coupled
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.invert import Branch, coordinate
from symdsm.symbolic.joint import JointDeclaration
from symdsm.symbolic.joint_random import from_random_vector
from symdsm.symbolic.nodes import LSE, plain
from symdsm.symbolic.supports import image, inside_of

__all__ = ["change_of", "mixture_of"]


def mixture_of(parts):
    """The mixture of scalar declarations, or of coupled ones of the same event."""
    first = parts[0][0]
    if isinstance(first, Declaration):
        return mixture(parts)
    y, x = first.noisy, first.clean
    terms = [sp.log(w) + part.log_density.xreplace({part.noisy: y, part.clean: x}) for part, w in parts]
    levels = {part.density.restore(part.level) for part, _ in parts if part.level is not None}
    level = levels.pop() if len(levels) == 1 else None
    made = from_coupled(LSE(*terms), y, x, first.entries, level, log=True)
    source = ("mixture", tuple((part.source, weight) for part, weight in parts))
    normalised = True if all(part.normalised is True for part, _ in parts) else None
    return replace(made, normalised=normalised, source=source)


def change_of(declaration, transform, clean: bool):
    """The declaration in the coordinate T(y) of each entry; with `clean` the clean value moves too."""
    if isinstance(declaration, Declaration):
        return change(declaration, transform, clean)
    if isinstance(declaration, JointDeclaration):
        return _change_of_columns(declaration, transform, clean)
    return _change_of_arrays(declaration, transform, clean)


def _change_of_columns(declaration: JointDeclaration, transform, clean) -> JointDeclaration:
    _, expr, *_ = declaration.source
    whole = not isinstance(expr, sp.MatrixBase)
    rows = [sp.Indexed(expr, k) for k in range(len(declaration.noisy_symbols))] if whole else list(expr)
    if clean:
        raise DeclarationError(
            given="clean=True for a kernel of coordinates with noise of their own",
            expected="change(transform), which moves the noisy value",
            fix="put the inverse in place of each clean symbol, sp.exp(v1) for x1, in what Kernel.from_random takes",
        )
    moved = sp.ImmutableDenseMatrix([transform(row) for row in rows])
    return from_random_vector(moved, declaration.clean, declaration.level)


def _change_of_arrays(declaration: CoupledDeclaration, transform, clean) -> CoupledDeclaration:
    y, x, density = declaration.noisy, declaration.clean, declaration.density
    positive = {"positive": True} if declaration.entries.inf.is_nonnegative else {}
    entry, u = sp.Symbol("y", real=True, **positive), sp.Symbol("u", real=True)
    branch, support = _inverse(transform, entry, u, declaration.entries)
    if support.inf.is_nonnegative:
        u, positive_u = sp.Symbol("u", positive=True), u
        branch = Branch(branch.inverse.xreplace({positive_u: u}))
    moved = _entries(declaration.log_density, y, lambda e: branch.inverse.xreplace({u: e}))
    if clean:
        move = _entries if isinstance(x, sp.IndexedBase) else _symbol
        moved = move(moved, x, lambda e: branch.inverse.xreplace({u: e}))
    axes = [sp.Symbol(f"i{k}", integer=True) for k in range(declaration.event_ndim)]
    lengths = [density.restore(length) for length in density.shapes[density.noisy]]
    slope = plain(branch.log_slope(u)).xreplace({u: y[tuple(axes)]})
    moved += sp.Sum(slope, *((i, 0, length - 1) for i, length in zip(axes, lengths, strict=True)))
    level = None if declaration.level is None else density.restore(declaration.level)
    made = from_coupled(moved, y, x, None if support == sp.S.Reals else support, level, log=True)
    source = ("change", declaration.source, transform(sp.Symbol("y", real=True)), clean)
    return replace(made, normalised=declaration.normalised, source=source)


def _entries(expr, base, value):
    return expr.replace(lambda e: isinstance(e, sp.Indexed) and e.base == base, value)


def _symbol(expr, x, value):
    return expr.xreplace({x: value(x)})


def _inverse(transform, y, u, support: sp.Set):
    """The one branch of T(y) = u, and the image of the entries' range."""
    branch = coordinate(transform(y), y, u)
    inside = sp.And(branch.condition, inside_of(support, branch.inverse))
    return branch, image(transform(y), y, support, u, inside, True)
