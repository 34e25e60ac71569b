"""What to do about a condition that fails, with the lines to type.

A moving edge or jump asks for another noise: a Gamma of shape 3, whose density and score vanish softly at the same
edge; a normal noise; or a log-normal one for a positive clean value. An infinite variance at an edge that does not
move goes away in the coordinate that sends the edge to infinity:

    (a, oo)  u = log(y - a)        (a, b)  u = log((y - a)/(b - y))        (-oo, b)  u = -log(b - y)

since the density of u falls exponentially there while its score stays bounded, unless p itself grows like a power.
A condition on a parameter is met by a value, found by trial.
"""

import sympy as sp

from symdsm.symbolic.findings import Remedy

__all__ = ["another_noise", "for_level", "for_parameters", "for_variance"]

_SHAPES = (1, 2, 3, 4, 5, 8, sp.Rational(1, 2), sp.Rational(1, 4), sp.Rational(1, 8), 20)


def another_noise(declaration, one_sided: bool) -> tuple[Remedy, ...]:
    """Kernels of the same clean value whose density has no moving edge, or vanishes softly at it."""
    level = _free_name(declaration, "sigma")
    x = "kernel.clean"
    symbol = f'{level} = sp.Symbol("{level}", positive=True); '
    if declaration.clean.is_positive:
        return (
            Remedy(
                "use a noise on the whole half-line, log-normal for example",
                f'{symbol}repaired = sd.Kernel.from_random({x}*sp.exp({level}*st.Normal("e", 0, 1)), '
                f"clean={x}, level={level})",
            ),
        )
    soft = Remedy(
        "keep the edge with a density that vanishes there, a Gamma with shape above 2 for example",
        f'{symbol}repaired = sd.Kernel.from_random({x} + {level}*st.Gamma("e", 3, 1), clean={x}, level={level})',
    )
    smooth = Remedy(
        "use a noise on the whole line, normal for example",
        f'{symbol}repaired = sd.Kernel.from_random(st.Normal("y", {x}, {level}), clean={x}, level={level})',
    )
    return (smooth, soft) if one_sided else (smooth,)


def for_variance(declaration, condition, moving: bool) -> tuple[Remedy, ...]:
    """Another coordinate where an edge stands still, other parameter values, another noise."""
    out = [*for_parameters(declaration, condition)]
    support = declaration.support
    if not moving and isinstance(support, sp.Interval) and declaration.clean not in support.free_symbols:
        text = _coordinate(support)
        if text:
            out.insert(0, Remedy("train in the coordinate that has no edge", f"repaired = kernel.change({text})"))
    return tuple(out) or another_noise(declaration, one_sided=False)


def _coordinate(support) -> str | None:
    low, high = support.start, support.end
    if support.free_symbols or low == -sp.oo and high == sp.oo:
        return None
    if low == 0 and high == sp.oo:
        return "sp.log"
    if high == sp.oo:
        return f"lambda y: sp.log({sp.Symbol('y') - low})"
    if low == -sp.oo:
        return f"lambda y: -sp.log({high - sp.Symbol('y')})"
    return f"lambda y: sp.log(({sp.Symbol('y') - low})/({high - sp.Symbol('y')}))"


def for_parameters(declaration, condition) -> tuple[Remedy, ...]:
    """A value of one parameter at which the condition holds whatever the others are."""
    if condition in (None, sp.true, sp.false):
        return ()
    for symbol in sorted(set(declaration.params) & condition.free_symbols, key=lambda s: s.name):
        for value in _SHAPES:
            if condition.subs(symbol, value) == sp.true:
                name, shown = symbol.name, f"sp.Rational({value.p}, {value.q})" if value != int(value) else str(value)
                code = f'repaired = kernel.subs({{p: {shown} for p in kernel.params if p.name == "{name}"}})'
                return (Remedy(f"choose {sp.sstr(condition)}", code),)
    return (Remedy(f"choose parameters with {sp.sstr(condition)}"),)


def for_level() -> tuple[Remedy, ...]:
    return (Remedy("train without the level score", 'objective = "dsm"'),)


def _free_name(declaration, wanted: str) -> str:
    return wanted if wanted != declaration.clean.name else f"{wanted}_noise"
