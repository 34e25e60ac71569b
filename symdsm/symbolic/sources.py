"""A stored declaration is a tree: (kind, arguments..), expressions at its leaves. Here its symbols are replaced.

    ("random", expr, clean, level)                                  ("change", inner, image of y, clean as well?)
    ("density", f, noisy, clean, support, level, log[, period])     ("mixture", ((part, weight), ..))
    ("sde", drift, diffusion, state, time, clean, initial)          ("product", {name: block})
    ("law", expr), in a mixture

A level that is replaced stays the level when exactly one symbol takes its place: sigma -> 2 s leaves s.
"""

import sympy as sp

from symdsm.errors import DeclarationError

__all__ = ["replaced"]

_LEVEL = {"random": 3, "density": 5}
_TIME = 4


def replaced(source: tuple, put: dict[sp.Symbol, sp.Expr]) -> tuple:
    """The same declaration with symbols replaced by expressions. Raises DeclarationError for the time of an SDE."""
    kind, *_ = source
    out = (kind, *(_inner(part, put) for part in source[1:]))
    level = source[_LEVEL[kind]] if kind in _LEVEL else None
    if level in put:
        left = sorted(put[level].free_symbols, key=str)
        at = _LEVEL[kind]
        out = (*out[:at], left[0] if len(left) == 1 else None, *out[at + 1 :])
    if kind == "sde" and not out[_TIME].is_Symbol:
        raise DeclarationError(
            given=f"{source[_TIME]} -> {out[_TIME]}, the time of an SDE",
            expected="a symbol in its place",
            fix=f"pass {source[_TIME]}=... at run time, or declare the transition kernel with Kernel.from_random",
        )
    return out


def _inner(node, put):
    """Declarations inside mixtures, products and changes are replaced as such, so that their levels follow."""
    if isinstance(node, tuple) and node and isinstance(node[0], str):
        return replaced(node, put)
    if isinstance(node, (tuple, list)):
        return type(node)(_inner(part, put) for part in node)
    if isinstance(node, dict):
        return {_inner(key, put): _inner(value, put) for key, value in node.items()}
    if isinstance(node, sp.MatrixBase):
        return node.xreplace(put)
    return node.xreplace(put) if isinstance(node, sp.Basic) else node
