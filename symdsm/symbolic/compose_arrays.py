r"""Mixtures and changes of coordinate of kernels with several noisy values.

    mixture   log p = log sum_k w_k p_k(y | x), one coupled density of the same event; normalised when its parts are
    change    u_i = T(y_i) for every entry:  log p(u | x) = log p(T^-1(u) | x) + sum_i log |dT^-1(u_i)/du_i|

A kernel of a few coordinates with randomness of its own keeps it: its coordinates y_i = g_i(x, e) become T(g_i(x, e)).
Source: Casella and Berger, Statistical Inference (2002), sections 4.4 and 4.6.
"""

from dataclasses import replace

import sympy as sp
from sympy.stats.joint_rv import JointRandomSymbol

from symdsm.errors import DeclarationError
from symdsm.symbolic.constructors import change, mixture
from symdsm.symbolic.coupled import CoupledDeclaration, from_coupled
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.invert import Branch, invert
from symdsm.symbolic.joint import JointDeclaration
from symdsm.symbolic.joint_random import from_random_vector
from symdsm.symbolic.nodes import plain
from symdsm.symbolic.supports import image, inside_of

__all__ = ["change_of", "mixture_of"]


def mixture_of(parts):
    """The mixture of scalar declarations, or of coupled ones of the same event."""
    first = parts[0][0]
    if isinstance(first, Declaration):
        return mixture(parts)
    y, x = first.noisy, first.clean
    terms = [w * sp.exp(part.log_density.xreplace({part.noisy: y, part.clean: x})) for part, w in parts]
    levels = {part.density.restore(part.level) for part, _ in parts if part.level is not None}
    level = levels.pop() if len(levels) == 1 else None
    made = from_coupled(sp.log(sp.Add(*terms)), y, x, first.entries, level, log=True)
    source = ("mixture", tuple((part.source, weight) for part, weight in parts))
    normalised = True if all(part.normalised is True for part, _ in parts) else None
    return replace(made, normalised=normalised, source=source)


def change_of(declaration, transform, clean: bool):
    """The declaration in the coordinate T(y) of each entry; with `clean` the clean value moves too."""
    if isinstance(declaration, Declaration):
        return change(declaration, transform, clean)
    image_of_y = transform(sp.Symbol("y", real=True))
    source = ("change", declaration.source, image_of_y, clean)
    changed = _change_of_columns if isinstance(declaration, JointDeclaration) else _change_of_arrays
    return replace(changed(declaration, transform, clean), source=source)


def _change_of_columns(declaration: JointDeclaration, transform, clean) -> JointDeclaration:
    _, expr, given, level = _random_source(declaration.source)
    count = len(declaration.noisy_symbols)
    rows = [sp.Indexed(expr, k) for k in range(count)] if isinstance(expr, JointRandomSymbol) else list(expr)
    moved = sp.ImmutableDenseMatrix([transform(row) for row in rows])
    if clean:
        moved = moved.xreplace({x: _inverse(transform, x, sp.S.Reals)[0].inverse for x in declaration.clean_symbols})
    return from_random_vector(moved, given, level)
